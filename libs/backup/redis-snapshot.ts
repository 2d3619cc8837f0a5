import { type RedisServer, redisTls } from '#platform/redis';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { CannotBackUp } from './cannot-back-up.js';

const LONGEST_SILENCE_MS = 60_000;
const LONGEST_LINE = 1_024;

/** There is no snapshot; a backup does without. */
export class RedisFailed extends CannotBackUp {}

/**
 * What Redis holds, in its own format (RDB), as it comes. SYNC is how a replica begins, and what `redis-cli --rdb`
 * sends: it needs no access to Redis's files. Nothing is lost without it, since PostgreSQL hands all work out again.
 */
export async function* redisSnapshot(server: RedisServer): AsyncGenerator<Uint8Array> {
  const url = new URL(server.redisUrl);
  const socket = open(url, redisTls(server).tls);
  try {
    const answers = new Answers(socket);
    if (url.password !== '') {
      const [name, password] = [url.username || 'default', url.password].map(decodeURIComponent);
      socket.write(command('AUTH', name ?? '', password ?? ''));
      if ((await answers.line()) !== '+OK') throw new RedisFailed('Redis does not accept redis_password.');
    }
    socket.write(command('SYNC'));
    const [, bytes] = /^\$(\d+)$/.exec(await answers.line()) ?? [];
    if (bytes === undefined) throw new RedisFailed('Redis makes no snapshot: its log says why.');
    yield* answers.take(Number(bytes));
  } catch (error) {
    // In our words: whoever stores it would take the error for one of the target's.
    throw error instanceof RedisFailed ? error : new RedisFailed('Redis cannot be reached.');
  } finally {
    socket.destroy();
  }
}

function open({ protocol, hostname: host, port }: URL, tls: ConnectionOptions | undefined): Socket {
  const address = { host, port: Number(port || 6379) };
  const socket =
    protocol === 'rediss:' ? connectTls({ ...address, servername: host, ...tls }) : connectPlain(address);
  socket.setTimeout(LONGEST_SILENCE_MS, () => socket.destroy(new RedisFailed('Redis does not answer.')));
  return socket;
}

/** RESP, an array of bulk strings: a password may hold any byte. */
function command(...words: readonly string[]): string {
  const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulk.join('')}`;
}

class Answers {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.chunks = socket[Symbol.asyncIterator]();
  }

  /** The next line that is not empty: while Redis writes its snapshot it sends empty ones. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.rest.indexOf('\n');
      if (end < 0) {
        if (this.rest.length > LONGEST_LINE) throw new RedisFailed('Redis answers something else.');
        this.rest = Buffer.concat([this.rest, await this.next()]);
        continue;
      }
      const line = this.rest.subarray(0, end).toString().trim();
      this.rest = this.rest.subarray(end + 1);
      if (line !== '') return line;
    }
  }

  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    let left = bytes;
    for (let chunk = this.rest; ; chunk = await this.next()) {
      const part = chunk.subarray(0, left);
      if (part.length > 0) yield part;
      left -= part.length;
      if (left === 0) return;
    }
  }

  private async next(): Promise<Buffer> {
    const { done, value } = await this.chunks.next();
    if (done === true) throw new RedisFailed('Redis broke off.');
    return value;
  }
}
