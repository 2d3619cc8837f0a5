import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asId, type Id } from '#platform/ids';

/** What came is no message of ours. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** Bytes of a value, little-endian, and back. `read` MUST refuse what `write` cannot have written. */
export interface Codec<T> {
  write(to: MessageWriter, value: T): void;
  read(from: MessageReader): T;
}

/** Of an id or a count a copy is cheaper than one more piece. Nothing secret is that short: copies stay. */
const SMALL_BYTES = 16;
const BLOCK_BYTES = 4_096;

/** Of typed arrays it keeps views: a million rows' scores are copied on their way out and not before. */
export class MessageWriter {
  private readonly parts: Uint8Array[] = [];
  private written = 0;
  /** What is small, one after the other; from `begun` it is no part yet. */
  private block = Buffer.alloc(0);
  private begun = 0;
  private end = 0;

  get length(): number {
    return this.written;
  }

  bytes(value: Uint8Array): void {
    this.written += value.length;
    if (value.length > SMALL_BYTES) {
      this.endRun();
      this.parts.push(value);
      return;
    }
    if (this.end + value.length > this.block.length) {
      this.endRun();
      this.block = Buffer.alloc(BLOCK_BYTES);
      this.begun = this.end = 0;
    }
    this.block.set(value, this.end);
    this.end += value.length;
  }

  /** In memory of its own and no pool's, so that the caller can zero it. */
  whole(): Buffer<ArrayBuffer> {
    this.endRun();
    const message = Buffer.from(new ArrayBuffer(this.written));
    let at = 0;
    for (const part of this.parts) {
      message.set(part, at);
      at += part.length;
    }
    return message;
  }

  /** The message, up to `most` bytes at a time, as views of what it was made of. */
  *pieces(most: number): Generator<readonly Uint8Array[], void, void> {
    this.endRun();
    let piece: Uint8Array[] = [];
    let room = most;
    for (const part of this.parts) {
      for (let at = 0; at < part.length;) {
        const some = part.subarray(at, at + room);
        piece.push(some);
        at += some.length;
        room -= some.length;
        if (room > 0) continue;
        yield piece;
        [piece, room] = [[], most];
      }
    }
    if (piece.length > 0) yield piece;
  }

  private endRun(): void {
    if (this.end > this.begun) this.parts.push(this.block.subarray(this.begun, this.end));
    this.begun = this.end;
  }
}

export class MessageReader {
  private at = 0;
  private run: Uint16Array<ArrayBuffer> | undefined;

  constructor(private readonly message: Buffer<ArrayBuffer>) {}

  /** The next bytes, in place. */
  bytes(length: number): Buffer<ArrayBuffer> {
    if (length > this.message.length - this.at) throw new MalformedMessage('a message that ends too early');
    this.at += length;
    return this.message.subarray(this.at - length, this.at);
  }

  /** Most segments of a message are full: they share one array, which goes to a thread once. */
  sharedRun(first: number, end: number): Uint16Array<ArrayBuffer> {
    const known = this.run;
    if (known?.[0] === first && known.length === end - first) return known;
    return (this.run = ALL_SLOTS.slice(first, end));
  }

  end(): void {
    if (this.at !== this.message.length) throw new MalformedMessage('a message that goes on after its end');
  }
}

export function encode<T>(codec: Codec<T>, value: T): MessageWriter {
  const writer = new MessageWriter();
  codec.write(writer, value);
  return writer;
}

/** Throws MalformedMessage, whatever the bytes are. */
export function decode<T>(codec: Codec<T>, bytes: Buffer<ArrayBuffer>): T {
  const reader = new MessageReader(bytes);
  const value = codec.read(reader);
  reader.end();
  return value;
}

export const nothing: Codec<void> = { write: () => undefined, read: () => undefined };

export function whole(least: number, most: number): Codec<number> {
  return {
    write: (to, value) => {
      const bytes = Buffer.allocUnsafe(4);
      bytes.writeInt32LE(value);
      to.bytes(bytes);
    },
    read: (from) => {
      const value = from.bytes(4).readInt32LE();
      if (value < least || value > most) throw new MalformedMessage('a number out of its range');
      return value;
    },
  };
}

export function oneOf<T extends string>(values: readonly T[]): Codec<T> {
  const place = whole(0, values.length - 1);
  return {
    write: (to, value) => place.write(to, values.indexOf(value)),
    read: (from) => {
      const value = values[place.read(from)];
      if (value === undefined) throw new MalformedMessage('a choice that there is not');
      return value;
    },
  };
}

export function id<Kind extends string>(): Codec<Id<Kind>> {
  return {
    write: (to, value) => to.bytes(Buffer.from(value.replaceAll('-', ''), 'hex')),
    read: (from) => {
      const hex = from.bytes(16).toString('hex');
      return refusing(() => asId<Kind>(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')));
    },
  };
}

interface Numbers extends ArrayBufferView<ArrayBuffer> {
  readonly length: number;
}

/** Up to `most` numbers, in a buffer of their own: it may be handed to a thread. */
function numbers<T extends Numbers>(
  type: { new (buffer: ArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
  least: number,
  most: number,
): Codec<T> {
  const count = whole(least, most);
  return {
    write: (to, value) => {
      count.write(to, value.length);
      to.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    },
    read: (from) => {
      const { buffer, byteOffset, byteLength } = from.bytes(count.read(from) * type.BYTES_PER_ELEMENT);
      return new type(buffer.slice(byteOffset, byteOffset + byteLength));
    },
  };
}

export const bytes = (least: number, most: number): Codec<Uint8Array<ArrayBuffer>> =>
  numbers(Uint8Array, least, most);
export const int8s = (most: number): Codec<Int8Array<ArrayBuffer>> => numbers(Int8Array, 0, most);
export const int16s = (most: number): Codec<Int16Array<ArrayBuffer>> => numbers(Int16Array, 0, most);
export const uint32s = (least: number, most: number): Codec<Uint32Array<ArrayBuffer>> =>
  numbers(Uint32Array, least, most);

const ALL_SLOTS = Uint16Array.from({ length: SLOTS_PER_SEGMENT }, (_, slot) => slot);
const BITMAP = SLOTS_PER_SEGMENT / 8;
const listed = numbers(Uint16Array, 0, SLOTS_PER_SEGMENT);
const slotBound = whole(0, SLOTS_PER_SEGMENT);
const [AS_LIST, AS_RUN, AS_BITS] = [0, 1, 2];
const form = whole(AS_LIST, AS_BITS);

/** Slots of a segment in their order: a million of them are to cost a millisecond and no megabytes. */
export const slots: Codec<Uint16Array<ArrayBuffer>> = {
  write: (to, value) => {
    const [first = 0] = value;
    if (isSame(value, ALL_SLOTS.subarray(first, first + value.length))) {
      form.write(to, AS_RUN);
      slotBound.write(to, first);
      slotBound.write(to, first + value.length);
    } else if (value.byteLength > BITMAP && isAscending(value)) {
      form.write(to, AS_BITS);
      to.bytes(bitsOf(value));
    } else {
      form.write(to, AS_LIST);
      listed.write(to, value);
    }
  },
  read: (from) => {
    const written = form.read(from);
    if (written === AS_RUN) {
      const first = slotBound.read(from);
      const end = slotBound.read(from);
      if (end < first) throw new MalformedMessage('a run that ends before it begins');
      return from.sharedRun(first, end);
    }
    if (written === AS_BITS) return slotsOf(from.bytes(BITMAP));
    const found = listed.read(from);
    if (!found.every((slot) => slot < SLOTS_PER_SEGMENT)) throw new MalformedMessage('no such slot');
    return found;
  },
};

function isSame(some: Uint16Array, others: Uint16Array): boolean {
  const [a, b] = [some, others].map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength));
  return a !== undefined && b !== undefined && a.equals(b);
}

function isAscending(values: Uint16Array): boolean {
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) <= (values[i - 1] ?? 0)) return false;
  return true;
}

function bitsOf(ascending: Uint16Array): Uint8Array {
  const bits = new Uint8Array(BITMAP);
  for (const slot of ascending) bits[slot >> 3] = (bits[slot >> 3] ?? 0) | (1 << (slot & 7));
  return bits;
}

function slotsOf(bits: Uint8Array): Uint16Array<ArrayBuffer> {
  const found = new Uint16Array(SLOTS_PER_SEGMENT);
  let count = 0;
  for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot++) {
    if (((bits[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0) found[count++] = slot;
  }
  return found.slice(0, count);
}

export function list<T>(item: Codec<T>, most: number): Codec<readonly T[]> {
  const count = whole(0, most);
  return {
    write: (to, values) => {
      count.write(to, values.length);
      for (const value of values) item.write(to, value);
    },
    read: (from) => {
      const values: T[] = [];
      for (let left = count.read(from); left > 0; left--) values.push(item.read(from));
      return values;
    },
  };
}

const present = whole(0, 1);

export function optional<T>(item: Codec<T>): Codec<T | undefined> {
  return {
    write: (to, value) => {
      present.write(to, value === undefined ? 0 : 1);
      if (value !== undefined) item.write(to, value);
    },
    read: (from) => (present.read(from) === 0 ? undefined : item.read(from)),
  };
}

/** A value that is checked on its way in: `check` throws if it is none. */
export function checked<T, U extends T>(item: Codec<T>, check: (value: T) => U): Codec<U> {
  return {
    write: (to, value) => item.write(to, value),
    read: (from) => {
      const value = item.read(from);
      return refusing(() => check(value));
    },
  };
}

/** Members one after the other, in the order in which they are given here. */
export function record<T extends object>(members: { readonly [Name in keyof T]: Codec<T[Name]> }): Codec<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.keys forgets whose keys they are
  const names = Object.keys(members) as (keyof T)[];
  return {
    write: (to, value) => {
      for (const name of names) members[name].write(to, value[name]);
    },
    read: (from) => {
      const value: Partial<T> = {};
      for (const name of names) value[name] = members[name].read(from);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each member was read above
      return value as T;
    },
  };
}

function refusing<T>(check: () => T): T {
  try {
    return check();
  } catch {
    throw new MalformedMessage('a value that cannot be');
  }
}
