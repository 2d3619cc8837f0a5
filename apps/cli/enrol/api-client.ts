import { CannotEnrol } from './cannot-enrol.js';
import { patiently, Refused, Unreachable } from './retry.js';

const ANSWER_MS = 60_000;
/** A token is renewed when this part of its lifetime is over. */
const USED = 0.8;

export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

type Body = Readonly<Record<string, unknown>>;

/** A client of the API with credentials: gets and renews its token, and tries again what may pass. */
export class ApiClient {
  private token: Promise<string> | undefined;
  private renewAt = 0;
  private reached = false;

  constructor(
    readonly url: string,
    private readonly credentials: Credentials,
    readonly notify: (why: string, seconds: number) => void,
  ) {}

  get<R>(path: string): Promise<R> {
    return this.json<R>('GET', path);
  }

  /** `key`: the Idempotency-Key under which the call is carried out once, however often it is sent. */
  post<R>(path: string, body: Body = {}, key?: string): Promise<R> {
    return this.json<R>('POST', path, body, key);
  }

  /** The lines of an NDJSON answer. It can break off: then Unreachable is thrown. */
  async *lines(path: string): AsyncGenerator<string> {
    const response = await patiently(() => this.send('GET', path), this.notify);
    if (response.body === null) return;
    let rest = '';
    try {
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + part).split('\n');
        rest = lines.pop() ?? '';
        yield* lines.filter((line) => line !== '');
      }
    } catch (error) {
      throw new Unreachable(reasonOf(error));
    }
    if (rest !== '') yield rest;
  }

  /** The header of a call; calls that need a new token at once share it. */
  async authorization(): Promise<string> {
    if (this.token === undefined || Date.now() >= this.renewAt) {
      this.renewAt = Infinity;
      this.token = this.requestToken();
    }
    try {
      return `Bearer ${await this.token}`;
    } catch (error) {
      this.renewAt = 0;
      throw error;
    }
  }

  private json<R>(method: string, path: string, body?: Body, key?: string): Promise<R> {
    return patiently(async () => {
      const response = await this.send(method, path, body, key);
      return readJson<R>(response);
    }, this.notify);
  }

  private async send(method: string, path: string, body?: Body, key?: string): Promise<Response> {
    const response = await this.sendOnce(method, path, body, key);
    // A token can be revoked, or its key be rotated, before its time is up.
    if (response.status !== 401) return expectOk(response);
    this.renewAt = 0;
    return expectOk(await this.sendOnce(method, path, body, key));
  }

  private async sendOnce(method: string, path: string, body?: Body, key?: string): Promise<Response> {
    const headers = {
      authorization: await this.authorization(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    return this.fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  private async requestToken(): Promise<string> {
    const { clientId, clientSecret } = this.credentials;
    // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    const basic = [clientId, clientSecret].map(encodeURIComponent).join(':');
    const asked = Date.now();
    const response = await this.fetch('/oauth/token', {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(basic).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const token = await readJson<{ access_token: string; expires_in: number }>(await expectOk(response));
    this.renewAt = asked + token.expires_in * 1_000 * USED;
    return token.access_token;
  }

  /** Redirects are not followed: credentials go where they were meant to go. */
  private async fetch(path: string, init: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      const response = await fetch(`${this.url}${path}`, { ...init, redirect: 'manual', signal });
      this.reached = true;
      return response;
    } catch (error) {
      const reason = reasonOf(error);
      if (this.reached) throw new Unreachable(reason);
      // Whoever was never reached is probably not there: that is told at once.
      throw new CannotEnrol(
        `No API answers at ${this.url} (${reason}). Is it running? npm run demo starts one, --url names another.`,
      );
    }
  }
}

/** Of an error of fetch the reason is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? error.name : reasonOf(error.cause);
}

export function refusalOf(status: number, text: string, retryAfter: string | null | undefined): Refused {
  const { code, error, detail, error_description: description } = problemOf(text);
  const seconds = Number(retryAfter ?? NaN);
  return new Refused(
    status,
    code ?? error ?? `http_${status}`,
    detail ?? description ?? `The server answered ${status}.`,
    Number.isFinite(seconds) ? seconds : undefined,
  );
}

async function expectOk(response: Response): Promise<Response> {
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  throw refusalOf(response.status, text, response.headers.get('retry-after'));
}

async function readJson<R>(response: Response): Promise<R> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw new Unreachable(reasonOf(error));
  }
  return JSON.parse(text);
}

/** The texts of an answer; a proxy in between may send something that is not JSON. */
function problemOf(text: string): Partial<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter(([, each]) => typeof each === 'string'));
  } catch {
    return {};
  }
}
