import fc from 'fast-check';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { MalformedMessage } from './codec.js';
import { readBody, readMessages } from './read-body.js';

const ANNOUNCED = 100_000;
const SENT = 60_000;

const server = createServer();

afterEach(() => {
  vi.restoreAllMocks();
  server.removeAllListeners('request');
  server.closeAllConnections();
  server.close();
});

/** A connection on which a request with a body of chunks has begun. */
async function connected(): Promise<Socket> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  const client = connect(address.port, '127.0.0.1').setNoDelay();
  client.write(CHUNKED);
  return client;
}

const CHUNKED = 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';

function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(message.length);
  return Buffer.concat([length, message]);
}

async function read(message: IncomingMessage, taken: number[] = []): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const each of readMessages(message, (bytes) => taken.push(bytes))) found.push(each);
  return found;
}

test('a body that breaks off is refused, and all that came of it is zeroed before its memory is freed', async () => {
  const freed: Uint8Array[] = [];
  vi.spyOn(ArrayBuffer.prototype, 'transfer').mockImplementation(function note(this: ArrayBuffer) {
    freed.push(new Uint8Array(this));
    return this;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  const client = connect(address.port, '127.0.0.1');
  client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${ANNOUNCED}\r\n\r\n`);
  client.write(Buffer.alloc(SENT, 7));
  const message = await new Promise<IncomingMessage>((resolve) => server.once('request', resolve));
  let came = 0;
  const body = readBody(message);
  message.on('data', ({ length }: Buffer) => {
    came += length;
    if (came === SENT) client.destroy();
  });
  await expect(body).rejects.toThrow();
  const sizes = freed.map(({ length }) => length);
  expect(sizes.at(-1)).toBe(ANNOUNCED);
  expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBe(SENT);
  expect(freed.every((memory) => memory.every((byte) => byte === 0))).toBe(true);
});

test('messages come as they were sent, wherever they were cut on their way', async () => {
  const story = fc.record({
    messages: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
    cuts: fc.array(fc.nat(1_500), { maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(story, async ({ messages, cuts }) => {
      const requested = new Promise<[IncomingMessage, ServerResponse]>((resolve) =>
        server.once('request', (...both) => resolve(both)),
      );
      const client = await connected();
      const body = Buffer.concat(messages.map(framed));
      const ends = [
        ...cuts.filter((cut) => cut > 0 && cut < body.length).toSorted((a, b) => a - b),
        body.length,
      ];
      for (const [n, end] of ends.entries()) {
        const piece = body.subarray(n === 0 ? 0 : ends[n - 1], end);
        if (piece.length > 0) await new Promise<unknown>((sent) => client.write(chunk(piece), sent));
      }
      client.write('0\r\n\r\n');
      const [request, response] = await requested;
      const taken: number[] = [];
      expect((await read(request, taken)).map((each) => new Uint8Array(each))).toEqual(messages);
      expect(taken).toEqual(messages.map(({ length }) => length));
      response.end();
      client.destroy();
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['breaks off', Buffer.alloc(7, 9)],
  ['breaks off within a length', Buffer.alloc(2, 1)],
  ['is longer than any', Buffer.concat([Buffer.from([0, 0, 0, 0x10]), Buffer.alloc(100_000)])],
])('a message that %s is refused, and what follows on the connection is answered', async (_, bytes) => {
  const became: unknown[] = [];
  server.on('request', (request, response) => {
    if (request.method === 'GET') {
      response.end('the second');
      return;
    }
    void read(request)
      .catch((error: unknown) => error)
      .then((end) => {
        became.push(end);
        response.end();
      });
  });
  const client = await connected();
  client.write(chunk(bytes));
  client.write('0\r\n\r\n');
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  let answers = '';
  client.on('data', (data) => (answers += data.toString()));
  await expect.poll(() => answers).toContain('the second');
  expect(became).toEqual([expect.any(MalformedMessage)]);
  client.destroy();
});
