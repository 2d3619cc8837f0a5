import { type CustodianClientConfig, readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import type { IncomingMessage } from 'node:http';
import { Agent, type AgentOptions, request } from 'node:https';
import { CROSSING_ERRORS, CustodianFailed, CustodianUnavailable } from './custody.errors.js';
import type { CustodianCall, CustodianCallName } from './wire/custodian-calls.js';
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

/**
 * Calls to the custodian's process. No more than a set number wait at a time; and once one was not answered, one at a
 * time, until the custodian answers again: what is slow does not pile up. Whoever may not wait is told so at once.
 */
export class CustodianConnection {
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
    if (this.waiting >= (this.suspect ? 1 : this.config.mostCalls)) throw new CustodianUnavailable();
    this.waiting++;
    const body = call.encodeInput(input);
    try {
      const answer = await this.post(name, body, timeoutMs);
      this.suspect = false;
      if (answer.status !== 200) throw errorOf(answer);
      return call.decodeOutput(answer.body);
    } finally {
      body.fill(0);
      this.waiting--;
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private async post(name: string, body: Buffer, timeoutMs: number): Promise<Answer> {
    const { url } = this.config;
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const asked = request(new URL(`/calls/${name}`, url), {
        method: 'POST',
        agent: this.agent,
        headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': body.length },
        signal,
      });
      try {
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          asked.once('response', resolve).on('error', reject);
          asked.end(body);
        });
        return { status: response.statusCode ?? 0, body: await readBody(response) };
      } catch {
        // A connection that was idle may just have been closed by the other side; a second one tells.
        if (asked.reusedSocket && !signal.aborted) continue;
        this.suspect = true;
        throw new CustodianUnavailable();
      }
    }
  }
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function errorOf({ status, body }: Answer): Error {
  if (status === 503) return new CustodianUnavailable();
  if (status !== REFUSED) return new CustodianFailed(`the custodian answered ${status}`);
  const [name = '', message = ''] = body.toString().split('\n');
  return CROSSING_ERRORS[name]?.(message) ?? new CustodianFailed('the custodian answered an unknown error');
}
