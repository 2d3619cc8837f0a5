import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Json } from './test-client.js';

export interface Received {
  readonly id: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly body: Json;
  readonly at: number;
}

type Answer = (response: ServerResponse, received: Received) => void;

/** A client's server: keeps what comes, and answers as the test says, with 204 if it says nothing. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  answer: Answer = (response) => response.writeHead(204).end();
  /** How many requests are open now, and how many were at the most. */
  open = 0;
  mostOpen = 0;
  private readonly server = createServer((request, response) => {
    void this.take(request, response);
  });

  static async start(port = 0): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.server.listen(port, '127.0.0.1');
    await once(receiver.server, 'listening');
    return receiver;
  }

  get port(): number {
    const address = this.server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the receiver does not listen');
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    response.once('close', () => this.open--);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const text = Buffer.concat(parts).toString();
    const received: Received = {
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      text,
      body: JSON.parse(text),
      at: Date.now(),
    };
    this.received.push(received);
    this.answer(response, received);
  }
}

/** As a receiver would write it, from the text of https://www.standardwebhooks.com alone. */
export function isSigned({ headers, text }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signed = [headers['webhook-id'], headers['webhook-timestamp'], text].join('.');
  const expected = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
  const age = Date.now() / 1000 - Number(headers['webhook-timestamp']);
  return headers['webhook-signature'] === expected && Math.abs(age) < 300;
}
