import { type CustodianClientConfig, readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import { Logger } from '@nestjs/common';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, type AgentOptions, request } from 'node:https';
import { Histogram } from 'prom-client';
import { CROSSING_ERRORS, CustodianFailed, CustodianUnavailable } from './custody.errors.js';
import type { CustodianCall, CustodianCallName } from './wire/custodian-calls.js';
import type { MessageWriter } from './wire/codec.js';
import { readBody } from './wire/read-body.js';

/** Answers of the custodian's process other than 200. */
const REFUSED = 422;

const PIECE_BYTES = 2 ** 17;

/** Reads certificates for each connection, so that a renewed one counts at once. */
class RenewingAgent extends Agent {
  constructor(
    private readonly files: TlsFiles,
    options: AgentOptions,
  ) {
    super(options);
  }

  override createConnection(
    ...[options, connected]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
    return super.createConnection({ ...options, ...readTlsFiles(this.files) }, connected);
  }
}

const callSeconds = new Histogram({
  name: 'velum_custodian_call_seconds',
  help: 'How long a call to the custodian’s process took, by the error that it ended with, or ok',
  labelNames: ['call', 'outcome'],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/**
 * Calls to the custodian's process. No more than a set number wait at a time; and once one was not answered, one at a
 * time, until the custodian answers again: what is slow does not pile up. Whoever may not wait is told so at once.
 */
export class CustodianConnection {
  private readonly logger = new Logger('custody');
  private readonly agent: Agent;
  private waiting = 0;
  private suspect = false;

  constructor(private readonly config: CustodianClientConfig) {
    this.agent = new RenewingAgent(config.tls, {
      keepAlive: true,
      maxSockets: config.mostCalls,
      minVersion: 'TLSv1.3',
      // A session that is taken up again would pass by a renewed authority.
      maxCachedSessions: 0,
    });
  }

  /** Throws CustodianUnavailable, CustodianFailed or what the custodian itself threw. */
  async call<Input, Output>(
    name: CustodianCallName,
    call: CustodianCall<Input, Output>,
    input: Input,
    timeoutMs = this.config.timeoutMs,
  ): Promise<Output> {
    const ended = callSeconds.startTimer({ call: name });
    try {
      const output = await this.ask(name, call, input, timeoutMs);
      ended({ outcome: 'ok' });
      return output;
    } catch (error) {
      ended({ outcome: error instanceof Error ? error.name : 'unknown' });
      throw error;
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private async ask<Input, Output>(
    name: CustodianCallName,
    call: CustodianCall<Input, Output>,
    input: Input,
    timeoutMs: number,
  ): Promise<Output> {
    if (this.waiting >= (this.suspect ? 1 : this.config.mostCalls)) throw new CustodianUnavailable();
    const message = call.encodeInput(input);
    this.waiting++;
    try {
      const answer = await this.post(name, message, timeoutMs);
      if (answer.status !== 200) throw errorOf(answer);
      return call.decodeOutput(answer.body);
    } finally {
      this.waiting--;
    }
  }

  private async post(name: string, message: MessageWriter, timeoutMs: number): Promise<Answer> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      let asked: ClientRequest | undefined;
      try {
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          asked = request(new URL(`/calls/${name}`, this.config.url), {
            method: 'POST',
            agent: this.agent,
            headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': message.length },
            signal,
          });
          asked.once('response', resolve).on('error', reject);
          send(asked, message);
        });
        const answer = { status: response.statusCode ?? 0, body: await readBody(response) };
        if (this.suspect) this.logger.log({ message: 'the custodian answers again' });
        this.suspect = false;
        return answer;
      } catch (error) {
        // A connection that was idle may just have been closed by the other side; a second one tells.
        if (asked?.reusedSocket === true && !signal.aborted) continue;
        // Whoever waits for less than others, to tell whether all is well, does not decide for them.
        if (signal.aborted && timeoutMs < this.config.timeoutMs) throw new CustodianUnavailable();
        if (!this.suspect)
          this.logger.warn({ message: 'the custodian does not answer', errorCode: codeOf(error) });
        this.suspect = true;
        throw new CustodianUnavailable();
      }
    }
  }
}

/** A piece at a time: what the other side decrypts meanwhile need not be encrypted before, and lies in memory once. */
function send(asked: ClientRequest, message: MessageWriter): void {
  const pieces = message.pieces(PIECE_BYTES);
  const sent = (error: Error | null | undefined): void => {
    // Whoever waits for the answer is told of it as well.
    if (error === null || error === undefined) next();
  };
  const next = (): void => {
    const { value: piece, done } = pieces.next();
    if (done === true) asked.end();
    else asked.write(piece, sent);
  };
  // Also of a request that ends before all was sent.
  asked.once('close', () => pieces.return());
  next();
}

interface Answer {
  readonly status: number;
  readonly body: Buffer<ArrayBuffer>;
}

function errorOf({ status, body }: Answer): Error {
  if (status === 503) return new CustodianUnavailable();
  if (status !== REFUSED) return new CustodianFailed(`the custodian answered ${status}`);
  const [name = '', message = ''] = body.toString().split('\n');
  return CROSSING_ERRORS[name]?.(message) ?? new CustodianFailed('the custodian answered an unknown error');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
