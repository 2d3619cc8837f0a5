import { giveBack } from '#homomorphic/give-back';
import type { Duplex } from 'node:stream';
import type { MessageWriter } from './codec.js';

/*
 * What crosses a connection between the custodian and those who ask it, one call at a time: frames, each behind its length (32
 * bits, little-endian). A call is the name of a method, its messages, and the mark of its end. Its answer is one frame after that:
 * an outcome in one byte and what belongs to it (docs/adr/0050-frames-over-mutual-tls.md).
 */

const LENGTH_BYTES = 4;

/** In place of a length. */
const END_OF_INPUT = 0xffff_ffff;

/** Of one frame: the scores of 30 million rows, or all rows of two segments at 2,048 dimensions. */
const MOST_BYTES = 2 ** 27;

/** The scores of sixteen segments fit. */
const PIECE_BYTES = 2 ** 18;

/** How a call ended, by the first byte of its answer. */
export const OUTCOMES = [
  'ok',
  'refused',
  'unavailable',
  'malformed',
  'forbidden',
  'unknown',
  'failed',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The other side is gone, or was silent for too long. */
export class ConnectionBroken extends Error {
  override readonly name = 'ConnectionBroken';
}

/** Frames that come over a connection, in memory of their own: whoever takes one can give it back. */
export class IncomingFrames {
  /** Pieces of which something is still to be read; while there are any, nothing more is taken in. */
  private readonly waiting: Buffer[] = [];
  private wanted: Wanted | undefined;
  private open = true;

  constructor(private readonly connection: Duplex) {
    connection.on('data', (piece: Buffer) => {
      this.waiting.push(piece);
      this.fill();
      if (this.waiting.length > 0) connection.pause();
    });
    for (const event of ['end', 'error', 'close']) connection.once(event, () => this.end());
  }

  /**
   * Undefined at the end of an input. `taking` is told of the memory that it takes, before; if it
   * throws, the frame is passed over. Throws ConnectionBroken, also for one of more than `most` bytes: who knows what follows it.
   */
  async next(most = MOST_BYTES, taking?: (bytes: number) => void): Promise<Buffer<ArrayBuffer> | undefined> {
    const bytes = await this.length();
    if (bytes === END_OF_INPUT) return undefined;
    if (bytes > most) throw new ConnectionBroken('a frame that is too long');
    let frame: Buffer<ArrayBuffer>;
    try {
      taking?.(bytes);
      frame = Buffer.from(new ArrayBuffer(bytes));
    } catch (error) {
      await this.pass(bytes);
      throw error;
    }
    if ((await this.read({ into: frame, length: bytes, at: 0 })) === bytes) return frame;
    giveBack(frame);
    throw new ConnectionBroken('within a frame');
  }

  /** Of a frame that nobody needs, no memory is taken; false at the end of an input. Throws ConnectionBroken. */
  async passNext(): Promise<boolean> {
    const bytes = await this.length();
    if (bytes === END_OF_INPUT) return false;
    if (bytes > MOST_BYTES) throw new ConnectionBroken('a frame that is too long');
    await this.pass(bytes);
    return true;
  }

  private async length(): Promise<number> {
    const length = Buffer.from(new ArrayBuffer(LENGTH_BYTES));
    const came = await this.read({ into: length, length: LENGTH_BYTES, at: 0 });
    if (came < LENGTH_BYTES) throw new ConnectionBroken('within a length');
    return length.readUInt32LE();
  }

  private async pass(bytes: number): Promise<void> {
    if ((await this.read({ into: undefined, length: bytes, at: 0 })) < bytes)
      throw new ConnectionBroken('within a frame');
  }

  private async read(wanted: Wanted): Promise<number> {
    this.wanted = wanted;
    this.fill();
    if (wanted.at < wanted.length && this.open) {
      this.connection.resume();
      await new Promise<void>((resolve) => {
        wanted.settle = resolve;
      });
    }
    this.wanted = undefined;
    return wanted.at;
  }

  private fill(): void {
    const { wanted } = this;
    if (wanted === undefined) return;
    for (let piece = this.waiting[0]; piece !== undefined; piece = this.waiting[0]) {
      const some = piece.subarray(0, wanted.length - wanted.at);
      wanted.into?.set(some, wanted.at);
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
    if (wanted.at === wanted.length) wanted.settle?.();
  }

  private end(): void {
    this.open = false;
    this.wanted?.settle?.();
  }
}

interface Wanted {
  /** Undefined: it is passed over. */
  readonly into: Buffer<ArrayBuffer> | undefined;
  readonly length: number;
  at: number;
  settle?: () => void;
}

/** After the last message of a call. */
export function writeEnd(connection: Duplex): void {
  connection.write(lengthOf(END_OF_INPUT));
}

/** A frame of these parts, of which the other side takes as much as it likes: resolves when all is on its way, throws ConnectionBroken. */
export async function sendFrame(connection: Duplex, ...parts: readonly Uint8Array[]): Promise<void> {
  const sent = Promise.withResolvers<void>();
  connection.cork();
  writeFrame(connection, ...parts);
  connection.write('', (error) => (error ? sent.reject(new ConnectionBroken()) : sent.resolve()));
  connection.uncork();
  await sent.promise;
}

/** One frame of these parts. */
export function writeFrame(connection: Duplex, ...parts: readonly Uint8Array[]): void {
  connection.cork();
  connection.write(lengthOf(parts.reduce((sum, { length }) => sum + length, 0)));
  for (const part of parts) connection.write(part);
  connection.uncork();
}

/**
 * A frame, a piece at a time: what the other side decrypts meanwhile need not be encrypted before. Resolves when all of it is on
 * its way, until when the message's arrays MUST stay as they are; throws ConnectionBroken.
 */
export async function writeMessage(connection: Duplex, message: MessageWriter): Promise<void> {
  let before: Uint8Array[] = [lengthOf(message.length)];
  if (message.length === 0) connection.write(before[0]);
  for (const piece of message.pieces(PIECE_BYTES)) {
    const sent = Promise.withResolvers<void>();
    const all = [...before, ...piece];
    before = [];
    connection.cork();
    all.forEach((part, n) => {
      if (n < all.length - 1) connection.write(part);
      // A connection that was destroyed says so here as well.
      else connection.write(part, (error) => (error ? sent.reject(new ConnectionBroken()) : sent.resolve()));
    });
    connection.uncork();
    await sent.promise;
  }
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(bytes);
  return length;
}
