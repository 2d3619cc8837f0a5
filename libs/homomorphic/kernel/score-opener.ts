import { readFile } from 'node:fs/promises';
import { Q, SLOTS_PER_SEGMENT as N } from '../parameters.js';
import type { EncryptedScores } from './segment-memory.js';

const BYTES = N * 4;
const PAGE = 65_536;
const MODULUS = BigInt(Q);
/** The smallest number that generates the multiplicative group mod q; q - 1 = 2^20 · 3² · 5 · 7 · 13. */
const GENERATOR = 19n;

/** The transform of a secret key and its companions; whoever has it has the key. Zero it after use. */
export type TransformedSecret = Uint32Array<ArrayBuffer>;

type Name = 'transform' | 'transformBack' | 'multiply' | 'round';

/** Layout of the memory: roots, inverse roots, secret (each N words and N companions), c0, c1, scores. */
const ROOTS = 0;
const INVERSE_ROOTS = 2 * BYTES;
const SECRET = 4 * BYTES;
const C0 = 6 * BYTES;
const C1 = 7 * BYTES;
const SCORES = 8 * BYTES;

/**
 * Decrypts ciphertexts of scores: c0 + c1·s mod q, rounded. Three times as fast as SEAL's decryptor, which is written
 * for any parameters; the tests and the start of every engine compare the two.
 */
export class ScoreOpener {
  private readonly memory = new WebAssembly.Memory({ initial: Math.ceil((9 * BYTES) / PAGE) });
  private readonly call: (name: Name, ...numbers: number[]) => void;

  private constructor(kernel: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(kernel, { env: { memory: this.memory } });
    this.call = (name, ...numbers) => {
      const called = exports[name];
      if (typeof called !== 'function') throw new Error('open.wasm lacks a function; run npm run build');
      Reflect.apply(called, undefined, numbers);
    };
    const root = power(GENERATOR, (MODULUS - 1n) / BigInt(2 * N));
    this.words(ROOTS, 2 * N).set(withCompanions(powersReversed(root)));
    this.words(INVERSE_ROOTS, 2 * N).set(withCompanions(powersReversed(power(root, MODULUS - 2n))));
  }

  static async load(): Promise<ScoreOpener> {
    return new ScoreOpener(
      await WebAssembly.compile(await readFile(new URL('./open.wasm', import.meta.url))),
    );
  }

  /** `secret`: N coefficients in {-1, 0, 1}. */
  transformSecret(secret: Int8Array): TransformedSecret {
    const words = this.words(C1, N);
    secret.forEach((digit, i) => (words[i] = digit < 0 ? Q + digit : digit));
    this.call('transform', C1, ROOTS);
    // The division by N that the way back leaves out is done here, once for each key.
    const share = power(BigInt(N), MODULUS - 2n);
    const transformed = withCompanions(Array.from(words, (word) => (BigInt(word) * share) % MODULUS));
    words.fill(0);
    return transformed;
  }

  /** The N scores of a ciphertext; those of slots without a row mean nothing. The caller MUST zero them after use. */
  open({ c0, c1 }: EncryptedScores, secret: TransformedSecret): Int32Array<ArrayBuffer> {
    this.words(SECRET, 2 * N).set(secret);
    this.words(C0, N).set(c0);
    this.words(C1, N).set(c1);
    this.call('transform', C1, ROOTS);
    this.call('multiply', C1, SECRET);
    this.call('transformBack', C1, INVERSE_ROOTS);
    this.call('round', C0, C1, SCORES);
    const scores = new Int32Array(this.memory.buffer.slice(SCORES, SCORES + BYTES));
    new Uint8Array(this.memory.buffer, SECRET).fill(0);
    return scores;
  }

  private words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, count);
  }
}

/** root^0 … root^(N-1), the one of exponent i at the place of i with its bits reversed. */
function powersReversed(root: bigint): bigint[] {
  const bits = Math.log2(N);
  const powers: bigint[] = [];
  let next = 1n;
  for (let i = 0; i < N; i++) {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
    powers[reversed] = next;
    next = (next * root) % MODULUS;
  }
  return powers;
}

/** Each factor w, then each ⌊w·2^32 / q⌋. */
function withCompanions(factors: readonly bigint[]): Uint32Array<ArrayBuffer> {
  return Uint32Array.from([...factors, ...factors.map((w) => (w << 32n) / MODULUS)], Number);
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
