/** Fewer would be found by chance. */
const SHORTEST = 8;
const BITS = 24;

interface Group {
  readonly kind: string;
  readonly owner: number;
  readonly bytes: Buffer;
  /** Where in it the eight bytes are that it is sought by. */
  readonly at: number;
}

/** Groups of bytes to be found wherever they lie: whoever holds a run of nearly twice a group holds a whole one. */
export class Needles {
  private readonly bits = new Uint32Array(2 ** (BITS - 5));
  /** By another hash: of random bytes the first lets one in fifty through, and to look in the map takes long. */
  private readonly moreBits = new Uint32Array(2 ** (BITS - 5));
  private readonly groups = new Map<number, Group[]>();

  /** Cuts `bytes` into groups of `size`. */
  add(kind: string, owner: number, bytes: Buffer, size: number): void {
    if (size < SHORTEST) throw new RangeError('a group so short is found by chance');
    for (let at = 0; at + size <= bytes.length; at += size) {
      const group = Buffer.from(bytes.subarray(at, at + size));
      // Zeros and the like are everywhere.
      if (new Set(group).size < 4) continue;
      const sought = mostVaried(group);
      const [low, high] = [group.readUInt32LE(sought), group.readUInt32LE(sought + 4)];
      const key = hash(low, high);
      set(this.bits, key);
      set(this.moreBits, otherHash(low, high));
      const found = this.groups.get(key) ?? [];
      found.push({ kind, owner, bytes: group, at: sought });
      this.groups.set(key, found);
    }
  }

  /** Calls `found` for each group that lies in `piece`. */
  search(piece: Buffer, found: (kind: string, owner: number) => void): void {
    let [low, high] = [0, 0];
    for (let end = 0; end < piece.length; end++) {
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) | ((piece[end] ?? 0) << 24);
      const key = hash(low, high);
      if (has(this.bits, key) && has(this.moreBits, otherHash(low, high)))
        this.confirm(piece, end - 7, key, found);
    }
  }

  private confirm(
    piece: Buffer,
    at: number,
    key: number,
    found: (kind: string, owner: number) => void,
  ): void {
    for (const { kind, owner, bytes, at: sought } of this.groups.get(key) ?? []) {
      const [start, end] = [at - sought, at - sought + bytes.length];
      if (start < 0 || end > piece.length) continue;
      if (piece.compare(bytes, 0, bytes.length, start, end) === 0) found(kind, owner);
    }
  }
}

/** Where the eight bytes are that have the most values: of pixels and texts the first are those of many others. */
function mostVaried(group: Buffer): number {
  let best = 0;
  let most = 0;
  for (let at = 0; at + 8 <= group.length && most < 8; at++) {
    const values = new Set(group.subarray(at, at + 8)).size;
    if (values > most) [best, most] = [at, values];
  }
  return best;
}

function hash(low: number, high: number): number {
  return (Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca77)) >>> (32 - BITS);
}

function otherHash(low: number, high: number): number {
  return (Math.imul(low, 0xc2b2_ae3d) ^ Math.imul(high, 0x27d4_eb2f)) >>> (32 - BITS);
}

function set(bits: Uint32Array, key: number): void {
  bits[key >>> 5] = (bits[key >>> 5] ?? 0) | (1 << (key & 31));
}

function has(bits: Uint32Array, key: number): boolean {
  return ((bits[key >>> 5] ?? 0) & (1 << (key & 31))) !== 0;
}
