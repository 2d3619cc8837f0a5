import { giveBack } from '#homomorphic/give-back';
import type { IncomingMessage } from 'node:http';
import { MalformedMessage } from './codec.js';

/** Of one message: the scores of 30 million rows, or all rows of two segments at 2,048 dimensions. */
const MOST_BYTES = 2 ** 27;

/** Before each message of a body that has several: how many bytes it has, little-endian. */
export const LENGTH_BYTES = 4;

/** Throws MalformedMessage if the message does not say how long its body is, or that is too long. */
export function bodyLength(message: IncomingMessage): number {
  const length = Number(message.headers['content-length']);
  if (!Number.isInteger(length) || length < 0 || length > MOST_BYTES)
    throw new MalformedMessage('a body that does not say its length, or is too long');
  return length;
}

/** The body of a request or an answer, in memory of its own: the caller can give it back. */
export async function readBody(message: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const bytes = new IncomingBytes(message);
  const body = await bytes.read(bodyLength(message));
  if (body === undefined) throw new MalformedMessage('a body that ends too early');
  return body;
}

/** The messages of a body that has several, each as soon as it is there; `taking` is told of the memory that one takes, before. */
export async function* readMessages(
  message: IncomingMessage,
  taking: (bytes: number) => void,
): AsyncGenerator<Buffer<ArrayBuffer>, void> {
  const bytes = new IncomingBytes(message);
  try {
    for (;;) {
      const length = (await bytes.read(LENGTH_BYTES))?.readUInt32LE();
      if (length === undefined) return;
      if (length > MOST_BYTES) throw new MalformedMessage('a message that is too long');
      taking(length);
      const part = await bytes.read(length);
      if (part === undefined) throw new MalformedMessage('a body that ends too early');
      yield part;
    }
  } finally {
    bytes.discard();
  }
}

/** What comes, in the lengths in which it is asked for. Pieces that nobody has asked for yet wait, and hold up what follows. */
class IncomingBytes {
  private readonly waiting: Buffer[] = [];
  private wanted: { readonly into: Buffer<ArrayBuffer>; at: number } | undefined;
  private settle: (() => void) | undefined;
  private state: 'coming' | 'ended' | 'broken' = 'coming';
  private discarding = false;

  constructor(private readonly message: IncomingMessage) {
    message.on('data', (piece: Buffer) => {
      if (this.discarding) {
        giveBack(piece);
        return;
      }
      this.waiting.push(piece);
      this.fill();
      if (this.waiting.length > 0) message.pause();
    });
    message.once('end', () => this.end('ended'));
    message.once('error', () => this.end('broken'));
    message.once('close', () => this.end('broken'));
  }

  /** Undefined if the body ended before the first of them. */
  async read(length: number): Promise<Buffer<ArrayBuffer> | undefined> {
    const into = Buffer.from(new ArrayBuffer(length));
    const wanted = { into, at: 0 };
    this.wanted = wanted;
    this.fill();
    if (wanted.at < length && this.state === 'coming') {
      this.message.resume();
      await new Promise<void>((resolve) => {
        this.settle = resolve;
      });
    }
    this.wanted = undefined;
    if (wanted.at === length) return into;
    giveBack(into);
    if (wanted.at === 0 && this.state === 'ended') return undefined;
    throw new MalformedMessage('a body that ends too early');
  }

  /** Whatever else comes: what follows on the connection is behind it. */
  discard(): void {
    this.discarding = true;
    for (const piece of this.waiting.splice(0)) giveBack(piece);
    this.message.resume();
  }

  private fill(): void {
    const { wanted } = this;
    if (wanted === undefined) return;
    for (let piece = this.waiting[0]; piece !== undefined; piece = this.waiting[0]) {
      const some = piece.subarray(0, wanted.into.length - wanted.at);
      wanted.into.set(some, wanted.at);
      wanted.at += some.length;
      if (some.length < piece.length) {
        some.fill(0);
        this.waiting[0] = piece.subarray(some.length);
        break;
      }
      this.waiting.shift();
      // Templates on their way to be sealed are among them.
      giveBack(piece);
    }
    if (wanted.at === wanted.into.length) this.settle?.();
  }

  private end(state: 'ended' | 'broken'): void {
    if (this.state === 'coming') this.state = state;
    this.settle?.();
  }
}
