import type { CustodianClientConfig } from '#platform/custodian-config';
import { Logger } from '@nestjs/common';
import { Histogram } from 'prom-client';
import { type CustodianSocket, CustodianSockets } from './custodian-sockets.js';
import { CROSSING_ERRORS, CustodianFailed, CustodianUnavailable } from './custody.errors.js';
import { encoded, Outgoing, Patience } from './outgoing.js';
import type { CustodianCall, CustodianCallName, PartedCall } from './wire/custodian-calls.js';
import { ConnectionBroken, type Outcome, OUTCOMES } from './wire/frames.js';

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
  private readonly sockets: CustodianSockets;
  private waiting = 0;
  private suspect = false;

  constructor(private readonly config: CustodianClientConfig) {
    this.sockets = new CustodianSockets(config.url, config.tls);
  }

  /** Throws CustodianUnavailable, CustodianFailed or what the custodian itself threw. */
  async call<Input, Output>(
    name: CustodianCallName,
    call: CustodianCall<Input, Output>,
    input: Input,
    timeoutMs = this.config.timeoutMs,
  ): Promise<Output> {
    return this.ask(name, call, () => new Outgoing(call.encodeInput(input)), timeoutMs);
  }

  /** Of an input that is sent while it is made. Throws what `parts` throws, too. The time counts while nobody waits for a part. */
  async callInParts<Input, Output, Part>(
    name: CustodianCallName,
    call: PartedCall<Input, Output, Part>,
    input: Input,
    parts: AsyncIterable<Part>,
  ): Promise<Output> {
    const following = encoded((part: Part) => call.encodePart(part), parts);
    return this.ask(
      name,
      call,
      () => new Outgoing(call.encodeInput(input), following),
      this.config.timeoutMs,
    );
  }

  close(): void {
    this.sockets.dropIdle();
  }

  private async ask<Output>(
    name: CustodianCallName,
    call: Pick<CustodianCall<never, Output>, 'decodeOutput'>,
    encode: () => Outgoing,
    timeoutMs: number,
  ): Promise<Output> {
    const ended = callSeconds.startTimer({ call: name });
    try {
      if (this.waiting >= (this.suspect ? 1 : this.config.mostCalls)) throw new CustodianUnavailable();
      const outgoing = encode();
      this.waiting++;
      try {
        const answer = await this.post(name, outgoing, timeoutMs);
        if (answer.outcome !== 'ok') throw errorOf(answer);
        const output = call.decodeOutput(answer.body);
        ended({ outcome: 'ok' });
        return output;
      } finally {
        this.waiting--;
        outgoing.end();
      }
    } catch (error) {
      ended({ outcome: error instanceof Error ? error.name : 'unknown' });
      throw error;
    }
  }

  private async post(name: string, outgoing: Outgoing, timeoutMs: number): Promise<Answer> {
    const patience = new Patience(timeoutMs);
    try {
      for (;;) {
        let connection: CustodianSocket | undefined;
        try {
          connection = await this.sockets.take(patience.signal);
          const answer = await exchange(connection, name, outgoing, patience);
          this.sockets.give(connection);
          if (this.suspect) this.logger.log({ message: 'the custodian answers again' });
          this.suspect = false;
          return answer;
        } catch (error) {
          connection?.socket.destroy();
          // It is not the custodian that failed.
          if (outgoing.fault !== undefined) throw outgoing.fault.error;
          // A connection that was idle may just have been closed by the other side; a second one tells.
          if (connection?.reused === true && !patience.signal.aborted) continue;
          // Whoever waits for less than others, to tell whether all is well, does not decide for them.
          if (patience.signal.aborted && timeoutMs < this.config.timeoutMs) throw new CustodianUnavailable();
          if (!this.suspect)
            this.logger.warn({ message: 'the custodian does not answer', errorCode: codeOf(error) });
          this.suspect = true;
          this.sockets.dropIdle();
          throw new CustodianUnavailable();
        }
      }
    } finally {
      patience.end();
    }
  }
}

async function exchange(
  { socket, frames }: CustodianSocket,
  name: string,
  outgoing: Outgoing,
  patience: Patience,
): Promise<Answer> {
  const abort = (): void => void socket.destroy(new ConnectionBroken('it takes too long'));
  patience.signal.addEventListener('abort', abort, { once: true });
  try {
    await outgoing.send(name, socket, patience);
    const answer = await frames.next();
    const outcome = OUTCOMES[answer?.[0] ?? OUTCOMES.length];
    if (answer === undefined || outcome === undefined) throw new ConnectionBroken('an answer that is none');
    return { outcome, body: Buffer.from(answer.buffer, 1) };
  } finally {
    patience.signal.removeEventListener('abort', abort);
  }
}

interface Answer {
  readonly outcome: Outcome;
  readonly body: Buffer<ArrayBuffer>;
}

function errorOf({ outcome, body }: Answer): Error {
  if (outcome === 'unavailable') return new CustodianUnavailable();
  if (outcome !== 'refused') return new CustodianFailed(`the custodian's answer is: ${outcome}`);
  const [name = '', message = ''] = body.toString().split('\n');
  return CROSSING_ERRORS[name]?.(message) ?? new CustodianFailed('the custodian answered an unknown error');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
