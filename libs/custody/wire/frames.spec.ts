import fc from 'fast-check';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MessageWriter } from './codec.js';
import { ConnectionBroken, IncomingFrames, writeEnd, writeFrame, writeMessage } from './frames.js';

const server = createServer();
const open: Socket[] = [];

beforeEach(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(() => {
  vi.restoreAllMocks();
  for (const socket of open.splice(0)) socket.destroy();
  server.close();
});

/** Both ends of a connection. */
async function connected(): Promise<[Socket, Socket]> {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  const taken = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect(address.port, '127.0.0.1').setNoDelay();
  const other = await taken;
  for (const socket of [client, other]) open.push(socket.on('error', () => undefined));
  return [client, other];
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  return length;
}

function messageOf(bytes: Uint8Array): MessageWriter {
  const message = new MessageWriter();
  message.bytes(bytes);
  return message;
}

test('frames come as they were sent, wherever they were cut on their way', async () => {
  const story = fc.record({
    messages: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
    cuts: fc.array(fc.nat(1_500), { maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(story, async ({ messages, cuts }) => {
      const [client, other] = await connected();
      const sent = Buffer.concat([
        ...messages.flatMap((message) => [lengthOf(message.length), message]),
        lengthOf(0xffff_ffff),
      ]);
      const inside = cuts.filter((cut) => cut > 0 && cut < sent.length).toSorted((a, b) => a - b);
      for (const [n, end] of [...inside, sent.length].entries()) {
        const piece = sent.subarray(n === 0 ? 0 : inside[n - 1], end);
        await new Promise<unknown>((written) => client.write(piece, written));
      }
      const frames = new IncomingFrames(other);
      const taken: number[] = [];
      const note = (bytes: number): unknown => taken.push(bytes);
      for (const message of messages) expect(await frames.next(300, note)).toEqual(Buffer.from(message));
      expect(await frames.next()).toBeUndefined();
      expect(taken).toEqual(messages.map(({ length }) => length));
      client.end();
      await expect(frames.next()).rejects.toThrow(ConnectionBroken);
    }),
    { numRuns: 60 },
  );
});

test('what is written is what is read: names, messages of any length, the end', async () => {
  const [client, other] = await connected();
  const frames = new IncomingFrames(other);
  const long = Buffer.alloc(300_001, 7);
  writeFrame(client, Buffer.from('some'), Buffer.from('thing'));
  const written = Promise.all([
    writeMessage(client, messageOf(Buffer.alloc(0))),
    writeMessage(client, messageOf(long)),
  ]);
  expect(String(await frames.next())).toBe('something');
  expect((await frames.next())?.length).toBe(0);
  expect(long.equals((await frames.next()) ?? Buffer.alloc(0))).toBe(true);
  await written;
  writeEnd(client);
  expect(await frames.next()).toBeUndefined();
});

test('of what breaks off nothing stays', async () => {
  const freed: Uint8Array[] = [];
  vi.spyOn(ArrayBuffer.prototype, 'transfer').mockImplementation(function note(this: ArrayBuffer) {
    freed.push(new Uint8Array(this));
    return this;
  });
  const [client, other] = await connected();
  const frames = new IncomingFrames(other);
  const reading = frames.next();
  client.write(lengthOf(100_000));
  client.write(Buffer.alloc(60_000, 7), () => client.destroy());
  await expect(reading).rejects.toThrow(ConnectionBroken);
  const sizes = freed.map(({ length }) => length);
  expect(sizes.at(-1)).toBe(100_000);
  expect(freed.every((memory) => memory.every((byte) => byte === 0))).toBe(true);
});

test('a frame for which there is no memory is passed over, and one that is too long is the end', async () => {
  const [client, other] = await connected();
  const frames = new IncomingFrames(other);
  writeFrame(client, Buffer.alloc(200_000, 1));
  writeFrame(client, Buffer.alloc(200_000, 2));
  writeFrame(client, Buffer.from('next'));
  await expect(
    frames.next(undefined, () => {
      throw new RangeError('no memory');
    }),
  ).rejects.toThrow(RangeError);
  expect(await frames.passNext()).toBe(true);
  expect(String(await frames.next())).toBe('next');
  writeEnd(client);
  expect(await frames.passNext()).toBe(false);
  writeFrame(client, Buffer.alloc(65));
  await expect(frames.next(64)).rejects.toThrow(ConnectionBroken);
  client.write(lengthOf(2 ** 31));
  await expect(new IncomingFrames(other).passNext()).rejects.toThrow(ConnectionBroken);
});
