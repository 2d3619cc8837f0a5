import { type Cipheriv, createCipheriv, createHash, createHmac } from 'node:crypto';
import { NOISE_RANDOM_BYTES, type RingKernel } from './kernel/ring-kernel.js';
import { SLOTS_PER_SEGMENT } from './parameters.js';

const BLOCK = 16;
const BYTES_A_WORD = NOISE_RANDOM_BYTES / SLOTS_PER_SEGMENT;

/** What the offsets of a probe's scores are made from, in all segments. */
export type OffsetBlocks = Uint8Array & { readonly [brand]: 'offset blocks' };

declare const brand: unique symbol;

/** The noise of a segment's scores, made again from the seed of its pads' noise. */
export class ScoreNoise {
  /** AES-256 of single blocks. They are kept, as to make one takes longer than what it is made for. */
  private readonly noise: Cipheriv;
  private readonly offset: Cipheriv;

  /** `seed`: zeroed by its owner. */
  constructor(
    private readonly ring: RingKernel,
    seed: Uint8Array,
  ) {
    const offsetKey = createHmac('sha256', seed).update('velum score offsets').digest();
    this.noise = blockCipher(seed);
    this.offset = blockCipher(offsetKey);
    offsetKey.fill(0);
  }

  /**
   * Σ p_i·e_i[slot], where e_i is what SegmentKey.zeros hides in mask i: of its stream, which is AES in counter mode, the
   * block or two alone that have the slot's six bytes. Secret.
   */
  of(slot: number, probe: Int8Array): number {
    const at = slot * BYTES_A_WORD;
    const within = at % BLOCK;
    const blocks = within + BYTES_A_WORD > BLOCK ? 2 : 1;
    const counters = Buffer.alloc(probe.length * blocks * BLOCK);
    for (let i = 0; i < probe.length; i++) {
      const first = (i * NOISE_RANDOM_BYTES + at - within) / BLOCK;
      for (let n = 0; n < blocks; n++) counters.writeUInt32BE(first + n, (i * blocks + n + 1) * BLOCK - 4);
    }
    const random = this.noise.update(counters);
    const noise = this.ring.noise(random, blocks * BLOCK, within, probe);
    random.fill(0);
    return noise;
  }

  /** For each slot 32 random bits: always the same ones for a probe, and unrelated ones for another. Secret. */
  offsets(blocks: OffsetBlocks): Uint32Array {
    const offsets = new Uint32Array(SLOTS_PER_SEGMENT);
    const random = this.offset.update(blocks);
    new Uint8Array(offsets.buffer).set(random);
    random.fill(0);
    return offsets;
  }

  [Symbol.dispose](): void {
    this.noise.final();
    this.offset.final();
  }
}

export function offsetBlocks(probe: Int8Array): OffsetBlocks {
  const digest = new Uint8Array(createHash('sha256').update(probe).digest());
  const [one = 0, two = 0, three = 0] = new Uint32Array(digest.buffer);
  const words = new Uint32Array(SLOTS_PER_SEGMENT);
  for (let at = 0; at < words.length; at += 4) {
    words[at] = one;
    words[at + 1] = two;
    words[at + 2] = three;
    words[at + 3] = at;
  }
  return asOffsetBlocks(new Uint8Array(words.buffer));
}

function asOffsetBlocks(blocks: Uint8Array): OffsetBlocks {
  if (!isOffsetBlocks(blocks)) throw new RangeError('four bytes for each slot');
  return blocks;
}

function isOffsetBlocks(blocks: Uint8Array): blocks is OffsetBlocks {
  return blocks.length === SLOTS_PER_SEGMENT * 4;
}

/** `final` lets go of the key. */
function blockCipher(key: Uint8Array): Cipheriv {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
}
