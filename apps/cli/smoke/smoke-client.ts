import { SmokeFailed } from './smoke-failed.js';

const ANSWER_MS = 20_000;

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Calls that must be answered at once: unlike those of other commands none is tried again. */
export class SmokeClient {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async connect(url: string, { clientId, clientSecret }: Credentials): Promise<SmokeClient> {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    const headers = { authorization: `Basic ${basic}` };
    const answer = await call(`${url}/oauth/token`, { method: 'POST', headers, body });
    const { access_token: token } = await expectOk<{ access_token: string }>(answer);
    return new SmokeClient(url, token);
  }

  async post<R>(path: string, body: object = {}): Promise<R> {
    return expectOk<R>(await this.send('POST', path, body));
  }

  async delete(path: string): Promise<void> {
    await expectOk(await this.send('DELETE', path));
  }

  async status(path: string, body: object): Promise<number> {
    return (await this.send('POST', path, body)).status;
  }

  private send(method: string, path: string, body?: object): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    return call(`${this.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

async function call(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new SmokeFailed(`no answer within ${ANSWER_MS / 1_000} s`);
  }
}

async function expectOk<R>(response: Response): Promise<R> {
  const text = await response.text();
  if (!response.ok) throw new SmokeFailed(`answered ${response.status} ${codeOf(text)}`);
  return JSON.parse(text === '' ? 'null' : text);
}

function codeOf(text: string): string {
  return /"(?:code|error)":"(\w+)"/.exec(text)?.[1] ?? '';
}
