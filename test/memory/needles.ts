/** Of what is looked for, groups of bytes: whoever holds a run of twice a group's values holds a whole group. */
export class Needles {
  private readonly bits = new Uint32Array(2 ** 19);
  private readonly groups = new Map<number, { readonly bytes: Buffer; readonly owner: number }[]>();

  /** `step`: the alignment at which it lies in memory. */
  constructor(
    readonly name: string,
    readonly step: 1 | 2 | 4 | 8,
  ) {}

  get size(): number {
    return this.groups.size;
  }

  add(bytes: Buffer, owner: number): void {
    // Zeros and the like are everywhere.
    if (new Set(bytes).size < 4) return;
    const key = hash(bytes.readUInt32LE(0), bytes.readUInt32LE(4));
    this.bits[key >>> 5] = (this.bits[key >>> 5] ?? 0) | (1 << (key & 31));
    const found = this.groups.get(key) ?? [];
    found.push({ bytes: Buffer.from(bytes), owner });
    this.groups.set(key, found);
  }

  /** Calls `found` with the owner of each group that lies in the piece. */
  search(piece: Buffer, found: (owner: number, at: number) => void): void {
    const { step, bits, groups } = this;
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at + 8 <= piece.length; at += step) {
      const key = hash(view.getUint32(at, true), view.getUint32(at + 4, true));
      if (((bits[key >>> 5] ?? 0) & (1 << (key & 31))) === 0) continue;
      for (const { bytes, owner } of groups.get(key) ?? []) {
        const end = at + bytes.length;
        if (end <= piece.length && piece.compare(bytes, 0, bytes.length, at, end) === 0) found(owner, at);
      }
    }
  }
}

/** 24 bits. */
function hash(low: number, high: number): number {
  return (Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca77)) >>> 8;
}
