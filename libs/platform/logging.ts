import { WinstonModule } from 'nest-winston';
import type { LoggerService } from '@nestjs/common';
import { createLogger, format, transports } from 'winston';
import { currentContext } from './request-context.js';
import { redact } from './redaction.js';

/** The context of lines that tell of refused access: a stream of its own for whoever watches over it. */
export const SECURITY_LOG = 'security';

const MESSAGE = Symbol.for('message');
const LEVEL = Symbol.for('level');

/** One JSON object a line on standard output, with the request id, redacted. */
const safeJson = format((info) => {
  const context = currentContext();
  const line = redact({
    ...info,
    timestamp: new Date().toISOString(),
    requestId: context?.requestId,
    clientId: context?.clientId,
    // Who asks again and again is seen where refusals are, and nowhere else.
    ipHash: info['context'] === SECURITY_LOG ? context?.ipHash : undefined,
    stack: Array.isArray(info['stack']) ? info['stack'].join('\n') : info['stack'],
    message: typeof info.message === 'string' ? info.message : 'a value that is not text',
  });
  return { level: info.level, message: '', [LEVEL]: info[LEVEL], [MESSAGE]: JSON.stringify(line) };
});

export function createAppLogger(level: string): LoggerService {
  return WinstonModule.createLogger({
    instance: createLogger({ level, format: safeJson(), transports: [new transports.Console()] }),
  });
}
