import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A client app that trusts the installation's certificate alone. */
export class StackClient {
  private session = { token: '' };
  private credentials: Credentials | undefined;

  constructor(
    private readonly port: number,
    private readonly ca: string,
    private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 }),
  ) {}

  /** The same client with connections of its own: whenever this one takes a new token, it has that. */
  over(agent: Agent): StackClient {
    const other = new StackClient(this.port, this.ca, agent);
    other.session = this.session;
    return other;
  }

  /** The same client, which keeps the token that it has now. */
  keepingToken(): StackClient {
    const other = new StackClient(this.port, this.ca);
    other.session = { ...this.session };
    return other;
  }

  /** The same client, which trusts other certificates. */
  trusting(ca: string): StackClient {
    const other = new StackClient(this.port, ca);
    other.session = this.session;
    return other;
  }

  async connect(credentials: Credentials): Promise<this> {
    this.credentials = credentials;
    const { clientId, clientSecret } = credentials;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const answer = await this.send('POST', '/oauth/token', 'grant_type=client_credentials', {
      authorization: `Basic ${basic}`,
      'content-type': 'application/x-www-form-urlencoded',
    });
    this.session.token = JSON.parse(answer.body).access_token;
    return this;
  }

  /**
   * Takes a new token, as the same client, over a new connection: while an image was built, nothing of this process ran, so
   * it has not noticed yet which connections nginx closed.
   */
  async renew(): Promise<void> {
    if (this.credentials === undefined) throw new Error('who never connected has nothing to renew');
    this.agent.destroy();
    await this.connect(this.credentials);
  }

  /** The answer's JSON; throws unless it is a success. */
  async json<R>(method: string, path: string, body?: object): Promise<R> {
    const answer = await this.send(method, path, body === undefined ? undefined : JSON.stringify(body));
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body === '' ? 'null' : answer.body);
  }

  send(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.stream(method, path, body === undefined ? [] : [body], headers);
  }

  /** Sends the parts as they come, as an upload that takes its time. */
  async stream(
    method: string,
    path: string,
    parts: Iterable<string> | AsyncIterable<string | Uint8Array>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const options: RequestOptions = {
      host: '127.0.0.1',
      servername: 'velum.localhost',
      port: this.port,
      ca: this.ca,
      agent: this.agent,
      method,
      path,
      headers: {
        host: 'velum.localhost',
        'content-type': 'application/json',
        ...(this.session.token === '' ? {} : { authorization: `Bearer ${this.session.token}` }),
        ...headers,
      },
    };
    const sent = request(options);
    const answered = new Promise<Answer>((resolve, reject) => {
      sent.once('error', reject);
      sent.once('response', (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        );
      });
    });
    // Whoever is answered in the middle of an upload reads the answer, too.
    answered.catch(() => undefined);
    for await (const part of parts) sent.write(part);
    sent.end();
    return answered;
  }
}
