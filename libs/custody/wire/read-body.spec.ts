import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { readBody } from './read-body.js';

const ANNOUNCED = 100_000;
const SENT = 60_000;

const server = createServer();

afterEach(() => {
  vi.restoreAllMocks();
  server.close();
});

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
