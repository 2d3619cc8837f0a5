import { type CustodianClientConfig, readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import { Logger } from '@nestjs/common';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, type AgentOptions, request } from 'node:https';
import { Histogram } from 'prom-client';
import { CROSSING_ERRORS, CustodianFailed, CustodianUnavailable } from './custody.errors.js';
import { encoded, InputInParts, type Outgoing, Patience, WholeInput } from './outgoing.js';
import type { CustodianCall, CustodianCallName, PartedCall } from './wire/custodian-calls.js';
import { readBody } from './wire/read-body.js';

/** Answers of the custodian's process other than 200. */
const REFUSED = 422;

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
    return this.ask(name, call, () => new WholeInput(call.encodeInput(input)), timeoutMs);
  }

  /** Of an input that is sent while it is made. Throws what `parts` throws, too. The time counts while nobody waits for a part. */
  async callInParts<Input, Output, Part>(
    name: CustodianCallName,
    call: PartedCall<Input, Output, Part>,
    input: Input,
    parts: AsyncIterable<Part>,
  ): Promise<Output> {
    const outgoing = (): Outgoing => new InputInParts(call.encodeInput(input), encoded(call, parts));
    return this.ask(name, call, outgoing, this.config.timeoutMs);
  }

  close(): void {
    this.agent.destroy();
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
        if (answer.status !== 200) throw errorOf(answer);
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
        let asked: ClientRequest | undefined;
        try {
          const response = await new Promise<IncomingMessage>((resolve, reject) => {
            asked = request(new URL(`/calls/${name}`, this.config.url), {
              method: 'POST',
              agent: this.agent,
              headers: { 'Content-Type': 'application/octet-stream', ...outgoing.headers },
              signal: patience.signal,
            });
            asked.once('response', resolve).on('error', reject);
            outgoing.send(asked, patience);
          });
          const answer = { status: response.statusCode ?? 0, body: await readBody(response) };
          // An answer to what was only begun: there is no use in the rest.
          if (asked?.writableEnded === false) asked.destroy();
          if (this.suspect) this.logger.log({ message: 'the custodian answers again' });
          this.suspect = false;
          return answer;
        } catch (error) {
          // It is not the custodian that failed.
          if (outgoing.fault !== undefined) throw outgoing.fault.error;
          // A connection that was idle may just have been closed by the other side; a second one tells.
          if (asked?.reusedSocket === true && !patience.signal.aborted) continue;
          // Whoever waits for less than others, to tell whether all is well, does not decide for them.
          if (patience.signal.aborted && timeoutMs < this.config.timeoutMs) throw new CustodianUnavailable();
          if (!this.suspect)
            this.logger.warn({ message: 'the custodian does not answer', errorCode: codeOf(error) });
          this.suspect = true;
          throw new CustodianUnavailable();
        }
      }
    } finally {
      patience.end();
    }
  }
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
