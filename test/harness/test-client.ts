import { spawnSync } from 'node:child_process';
import type { Stack } from './stack.js';

/** Whatever JSON came back; tests look at members by name. */
// oxlint-disable-next-line typescript/no-explicit-any -- assertions on it are what the tests are
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Makes an OAuth client with the command line, as an operator does. */
export function createCredentials(stack: Stack, scopes = 'all'): Credentials {
  const args = ['dist/apps/cli/main.js', 'clients', 'create', '--name', 'test', '--scopes', scopes, '--json'];
  const env = { ...process.env, ...stack.env };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

export function requestToken(
  url: string,
  { clientId, clientSecret }: Credentials,
  scope?: string,
): Promise<Answer> {
  return answer(
    fetch(`${url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(scope === undefined ? {} : { scope }),
      }),
    }),
  );
}

/** A client app with a token. */
export class TestClient {
  constructor(
    readonly url: string,
    readonly token: string,
  ) {}

  static async create(stack: Stack, scopes = 'all'): Promise<TestClient> {
    return TestClient.connect(stack.url, createCredentials(stack, scopes));
  }

  static async connect(url: string, credentials: Credentials): Promise<TestClient> {
    const { body } = await requestToken(url, credentials);
    return new TestClient(url, body.access_token);
  }

  /** The same client at another process. */
  at(url: string): TestClient {
    return new TestClient(url, this.token);
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path);
  }

  post(
    path: string,
    body?: object | FormData | string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.send('POST', path, body, headers);
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path);
  }

  send(
    method: string,
    path: string,
    body?: object | FormData | string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const raw = typeof body === 'string' || body instanceof FormData || body instanceof Uint8Array;
    const json = body !== undefined && !(body instanceof FormData);
    return answer(
      fetch(`${this.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.token}`,
          ...(json ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      }),
    );
  }
}

async function answer(sent: Promise<Response>): Promise<Answer> {
  const response = await sent;
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  const json = text !== '' && type.includes('json') && !type.includes('ndjson');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}
