import { readFile } from 'node:fs/promises';
import { MAX_DIMENSION, Q, SLOTS_PER_SEGMENT as N } from '../parameters.js';
import type { Residues } from './row-memory.js';

const BYTES = N * 4;
const PAGE = 65_536;
const MODULUS = BigInt(Q);
/** The smallest number that generates the multiplicative group mod q; q - 1 = 2^20 · 3² · 5 · 7 · 13. */
const GENERATOR = 19n;

/** Random bytes for a mask: one word in 4,096 is no residue, and 64 too many of them come up never (p < 10^-80). */
export const MASK_RANDOM_BYTES = (N + 64) * 4;
export const NOISE_RANDOM_BYTES = N * 6;

/** The transform of a secret key and its companions; whoever has it has the key. Zero it after use. */
export type TransformedSecret = Uint32Array<ArrayBuffer>;

/** The transform of c1, which all segments of a gallery share. */
export type TransformedSum = Residues;

type Name =
  | 'transform'
  | 'transformBack'
  | 'multiply'
  | 'round'
  | 'sum'
  | 'companions'
  | 'scale'
  | 'uniform'
  | 'hide'
  | 'noise';

/**
 * Layout of the memory: roots, inverse roots, a factor (each N words and N companions), three operands, random bytes; a
 * probe, and for each of its digits two of the cipher's blocks.
 */
const ROOTS = 0;
const INVERSE_ROOTS = 2 * BYTES;
const FACTOR = 4 * BYTES;
const A = 6 * BYTES;
const B = 7 * BYTES;
const OUT = 8 * BYTES;
const RANDOM = 9 * BYTES;
const END = RANDOM + NOISE_RANDOM_BYTES + 16;
const PROBE = END;
const BLOCKS = PROBE + MAX_DIMENSION;
const END_OF_BLOCKS = BLOCKS + MAX_DIMENSION * 32 + 8;

/**
 * Arithmetic in SEAL's ring for Velum's one set of parameters, several times as fast as SEAL, which is written for
 * any. Every engine compares it with SEAL when it starts; so do the tests.
 */
export class RingKernel {
  private readonly memory = new WebAssembly.Memory({ initial: Math.ceil(END_OF_BLOCKS / PAGE) });
  private readonly call: (name: Name, ...numbers: number[]) => unknown;
  /** 1/N, which transformBack leaves out. */
  private readonly share = Number(power(BigInt(N), MODULUS - 2n));

  private constructor(kernel: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(kernel, { env: { memory: this.memory } });
    this.call = (name, ...numbers) => {
      const called = exports[name];
      if (typeof called !== 'function') throw new Error('ring.wasm lacks a function; run npm run build');
      return Reflect.apply(called, undefined, numbers);
    };
    const root = power(GENERATOR, (MODULUS - 1n) / BigInt(2 * N));
    this.setRoots(ROOTS, root);
    this.setRoots(INVERSE_ROOTS, power(root, MODULUS - 2n));
  }

  static async load(): Promise<RingKernel> {
    return new RingKernel(await WebAssembly.compile(await readFile(new URL('./ring.wasm', import.meta.url))));
  }

  /** `secret`: N coefficients in {-1, 0, 1}. */
  transformSecret(secret: Int8Array): TransformedSecret {
    const words = this.words(FACTOR, N);
    secret.forEach((digit, i) => (words[i] = digit < 0 ? Q + digit : digit));
    this.call('transform', FACTOR, ROOTS);
    this.call('scale', FACTOR, this.share);
    this.call('companions', FACTOR, FACTOR + BYTES);
    const transformed = this.copy(FACTOR, 2 * N);
    this.wipe();
    return transformed;
  }

  /** A mask a_i, its N coefficients made from MASK_RANDOM_BYTES. */
  mask(random: Uint8Array): Residues {
    this.drawTransformedMask(random);
    this.call('transformBack', A, INVERSE_ROOTS);
    this.call('scale', A, this.share);
    return this.copy(A, N);
  }

  /** The transform of the same mask. */
  transformedMask(random: Uint8Array): TransformedSum {
    this.drawTransformedMask(random);
    return this.copy(A, N);
  }

  /** b_i = e - a_i·s for the same random bytes of the mask, with noise from NOISE_RANDOM_BYTES. Secret. */
  hidden(random: Uint8Array, noise: Uint8Array, secret: TransformedSecret): Residues {
    this.drawTransformedMask(random);
    this.words(FACTOR, 2 * N).set(secret);
    this.call('multiply', A, FACTOR);
    this.call('transformBack', A, INVERSE_ROOTS);
    this.bytes(RANDOM, NOISE_RANDOM_BYTES).set(noise);
    this.call('hide', A, RANDOM, OUT);
    const hidden = this.copy(OUT, N);
    this.wipe();
    return hidden;
  }

  transformSum(c1: Residues): TransformedSum {
    this.words(A, N).set(c1);
    this.call('transform', A, ROOTS);
    return this.copy(A, N);
  }

  /** The N scores of (c0, c1); those of slots without a row mean nothing. The caller MUST zero them after use. */
  open(c0: Residues, c1: TransformedSum, secret: TransformedSecret): Int32Array<ArrayBuffer> {
    this.words(FACTOR, 2 * N).set(secret);
    this.words(A, N).set(c1);
    this.words(B, N).set(c0);
    this.call('multiply', A, FACTOR);
    this.call('transformBack', A, INVERSE_ROOTS);
    this.call('round', B, A, OUT);
    const scores = new Int32Array(this.memory.buffer.slice(OUT, OUT + BYTES));
    this.wipe();
    return scores;
  }

  /**
   * c0 + c1·s: of a slot the score × ⌊q/t⌋, and its noise. Undefined if a word of c0 is no residue. Secret: how it is rounded
   * tells the noise, and the noise the key.
   */
  noisyScores(c0: Residues, c1: TransformedSum, secret: TransformedSecret): Residues | undefined {
    this.words(FACTOR, 2 * N).set(secret);
    this.words(A, N).set(c1);
    this.words(B, N).set(c0);
    this.call('multiply', A, FACTOR);
    this.call('transformBack', A, INVERSE_ROOTS);
    const areResidues = this.call('sum', B, A, OUT) !== 0;
    const noisy = areResidues ? this.copy(OUT, N) : undefined;
    this.wipe();
    return noisy;
  }

  /** Σ p_i·e_i, e_i made as in hidden() from the six bytes at `at` of the i-th `stride` bytes, 16 or 32, of `blocks`. Secret. */
  noise(blocks: Uint8Array, stride: number, at: number, probe: Int8Array): number {
    if (blocks.length !== probe.length * stride || probe.length > MAX_DIMENSION || stride > 32)
      throw new RangeError('blocks and probe do not belong together');
    new Int8Array(this.memory.buffer, PROBE, probe.length).set(probe);
    this.bytes(BLOCKS, blocks.length).set(blocks);
    const noise = Number(this.call('noise', BLOCKS + at, stride, PROBE, probe.length));
    this.bytes(PROBE, END_OF_BLOCKS - PROBE).fill(0);
    return noise;
  }

  private drawTransformedMask(random: Uint8Array): void {
    this.bytes(RANDOM, MASK_RANDOM_BYTES).set(random);
    // The transform of a uniform polynomial is uniform: what is drawn is taken for the transform.
    if (this.call('uniform', RANDOM, MASK_RANDOM_BYTES / 4, A) !== N) throw new Error('too few residues');
  }

  private setRoots(at: number, root: bigint): void {
    this.words(at, N).set(powersReversed(root));
    this.call('companions', at, at + BYTES);
  }

  private wipe(): void {
    this.bytes(FACTOR, END - FACTOR).fill(0);
  }

  private copy(at: number, count: number): Residues {
    return new Uint32Array(this.memory.buffer.slice(at, at + count * 4));
  }

  private words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, count);
  }

  private bytes(at: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, count);
  }
}

/** root^0 … root^(N-1), the one of exponent i at the place of i with its bits reversed. */
function powersReversed(root: bigint): number[] {
  const bits = Math.log2(N);
  const powers: number[] = [];
  let next = 1n;
  for (let i = 0; i < N; i++) {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
    powers[reversed] = Number(next);
    next = (next * root) % MODULUS;
  }
  return powers;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % MODULUS;
    square = (square * square) % MODULUS;
  }
  return result;
}
