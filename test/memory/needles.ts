/** Fewer would be found by chance. */
const SHORTEST = 8;
const BITS = 24;

interface Group {
  readonly kind: string;
  readonly owner: number;
  readonly bytes: Buffer;
}

/** Groups of bytes to be found wherever they lie: whoever holds a run of nearly twice a group holds a whole one. */
export class Needles {
  private readonly bits = new Uint32Array(2 ** (BITS - 5));
  private readonly groups = new Map<number, Group[]>();

  /** Cuts `bytes` into groups of `size`. */
  add(kind: string, owner: number, bytes: Buffer, size: number): void {
    if (size < SHORTEST) throw new RangeError('a group so short is found by chance');
    for (let at = 0; at + size <= bytes.length; at += size) {
      const group = Buffer.from(bytes.subarray(at, at + size));
      // Zeros and the like are everywhere.
      if (new Set(group).size < 4) continue;
      const key = hash(group.readUInt32LE(0), group.readUInt32LE(4));
      this.bits[key >>> 5] = (this.bits[key >>> 5] ?? 0) | (1 << (key & 31));
      const found = this.groups.get(key) ?? [];
      found.push({ kind, owner, bytes: group });
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
      if (((this.bits[key >>> 5] ?? 0) & (1 << (key & 31))) !== 0) this.confirm(piece, end - 7, key, found);
    }
  }

  private confirm(
    piece: Buffer,
    at: number,
    key: number,
    found: (kind: string, owner: number) => void,
  ): void {
    if (at < 0) return;
    for (const { kind, owner, bytes } of this.groups.get(key) ?? []) {
      const end = at + bytes.length;
      if (end <= piece.length && piece.compare(bytes, 0, bytes.length, at, end) === 0) found(kind, owner);
    }
  }
}

function hash(low: number, high: number): number {
  return (Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca77)) >>> (32 - BITS);
}
