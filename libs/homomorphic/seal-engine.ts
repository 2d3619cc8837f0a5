import { type Decryptor, initialize, type MainModule, type SEALContext } from 'node-seal';
import { randomBytes } from 'node:crypto';
import { genuineScores } from './genuine-scores.js';
import { RingKernel } from './kernel/ring-kernel.js';
import type { EncryptedScores } from './kernel/row-memory.js';
import { newMaskSeed, maskRandom } from './mask-seed.js';
import { DELTA, Q, SLOTS_PER_SEGMENT, T } from './parameters.js';
import { asScore, type Score } from './quantised-vector.js';
import { packSecret, SegmentKey, type SegmentSecret } from './segment-key.js';

/**
 * SEAL's uncompressed serialisation: of a fresh BFV ciphertext, 113 bytes of headers and then the N coefficients of
 * c0 and of c1 as 64-bit words; of a plaintext, 88 bytes and then its coefficients, trailing zeros cut off. Checked
 * when the engine starts.
 */
const CIPHERTEXT_HEADER = 113;
const PLAINTEXT_HEADER = 88;
const CIPHERTEXT_BYTES = CIPHERTEXT_HEADER + 2 * SLOTS_PER_SEGMENT * 8;

const ALL_SLOTS = Array.from({ length: SLOTS_PER_SEGMENT }, (_, slot) => slot);

/** SEAL with Velum's parameters; one for each thread, as its memory cannot be shared. */
export class SealEngine {
  private constructor(
    private readonly seal: MainModule,
    private readonly context: SEALContext,
    readonly ring: RingKernel,
  ) {}

  static async create(): Promise<SealEngine> {
    const seal = await initialize();
    const parameters = new seal.EncryptionParameters(seal.SchemeType.bfv);
    using chain = new seal.VectorModulus();
    using q = new seal.Modulus(BigInt(Q));
    using t = new seal.Modulus(BigInt(T));
    chain.push_back(q);
    parameters.setPolyModulusDegree(SLOTS_PER_SEGMENT);
    parameters.setCoeffModulus(chain);
    parameters.setPlainModulus(t);
    const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc192);
    parameters.delete();
    if (!context.parametersSet()) throw new Error('SEAL refuses the parameters at 192 bits of security');
    const engine = new SealEngine(seal, context, await RingKernel.load());
    engine.createSegmentSecret().fill(0);
    return engine;
  }

  /** SEAL draws the key from its own generator; the caller MUST dispose of it. */
  createKey(): SealKey {
    return new SealKey(this.seal, this.context);
  }

  /**
   * The secret of a new segment, for SegmentKey. SEAL draws the key and then opens what our own arithmetic seals
   * under it: a difference between the two stops the start, or the segment, and never a match.
   */
  createSegmentSecret(): SegmentSecret {
    using key = this.createKey();
    const digits = key.digits();
    const noiseSeed = randomBytes(32);
    const secret = packSecret(digits, noiseSeed);
    digits.fill(0);
    noiseSeed.fill(0);
    this.check(key, secret);
    return secret;
  }

  /** One encryption of zero with 3·⌊q/t⌋ added to slot 5: it must open to 3 there and to 0 elsewhere. */
  private check(key: SealKey, secret: SegmentSecret): void {
    using ours = new SegmentKey(this.ring, secret);
    const seed = newMaskSeed();
    const [random] = maskRandom(seed, 1, 1);
    const [c0] = ours.zeros(seed, 1, 1);
    if (random === undefined || c0 === undefined) throw new Error('nothing was sealed');
    const c1 = this.ring.mask(random);
    c0[5] = ((c0[5] ?? 0) + 3 * DELTA) % Q;
    const expected = ALL_SLOTS.map((slot) => (slot === 5 ? 3 : 0)).join();
    const sum = this.ring.transformSum(c1);
    const opened = ours.openScores(c0, sum, ALL_SLOTS);
    if (opened.join() !== expected || key.open({ c0, c1 }, ALL_SLOTS).join() !== expected) {
      throw new Error('SEAL does not open what was sealed: another version of SEAL?');
    }
    const probe = Int8Array.of(0, 1);
    const genuine = genuineScores([{ key: ours, slots: [4, 5], c0 }], sum, probe, -T / 2, 2);
    if (genuine?.best.map(({ slot, score }) => `${slot} ${score}`).join() !== '5 3,4 0') {
      throw new Error('what was sealed is not found genuine');
    }
  }
}

/** A secret key in SEAL, with SEAL's own decryptor; dispose of it, as it lives outside V8's heap. */
export class SealKey {
  private readonly secret;
  private readonly decryptor: Decryptor;
  private readonly scores;
  private readonly plain;
  private readonly frame: Uint8Array<ArrayBuffer>;
  private readonly words = new Uint32Array(4 * SLOTS_PER_SEGMENT);

  constructor(
    private readonly seal: MainModule,
    private readonly context: SEALContext,
  ) {
    using generator = new seal.KeyGenerator(context);
    this.secret = generator.secretKey();
    this.decryptor = new seal.Decryptor(context, this.secret);
    this.scores = new seal.Ciphertext();
    this.plain = new seal.Plaintext(SLOTS_PER_SEGMENT);
    this.frame = this.freshZero();
  }

  /**
   * The N coefficients of the key, each -1, 0 or 1: what SEAL decrypts (0, ⌊q/t⌋) to, as ⌊q/t⌋·s is s lifted. SEAL
   * itself writes the key in its transform's order only. The caller MUST zero them after use.
   */
  digits(): Int8Array<ArrayBuffer> {
    const c1 = new Uint32Array(SLOTS_PER_SEGMENT);
    c1[0] = DELTA;
    return Int8Array.from(this.open({ c0: new Uint32Array(SLOTS_PER_SEGMENT), c1 }, ALL_SLOTS));
  }

  /** The scores of `slots` by SEAL's decryptor: the reference of SegmentKey.openScores. */
  open(scores: EncryptedScores, slots: ArrayLike<number>): Score[] {
    this.load(scores);
    this.decryptor.decrypt(this.scores, this.plain);
    const bytes = bytesOf(this.plain.saveToArray(this.seal.ComprModeType.none));
    const coefficients = new Uint32Array(bytes.slice(PLAINTEXT_HEADER).buffer);
    const opened = Array.from(slots, (slot) => {
      // SEAL cuts trailing zeros off: a coefficient that is not there is zero.
      const value = coefficients[2 * slot] ?? 0;
      return asScore(value >= T / 2 ? value - T : value);
    });
    coefficients.fill(0);
    bytes.fill(0);
    return opened;
  }

  /** How many bits of noise a ciphertext of scores still has room for, by SEAL's measure. */
  noiseBudget(scores: EncryptedScores): number {
    this.load(scores);
    return this.decryptor.invariantNoiseBudget(this.scores);
  }

  /** A fresh encryption of zero by SEAL, serialised. */
  freshZero(): Uint8Array<ArrayBuffer> {
    using generator = new this.seal.KeyGenerator(this.context, this.secret);
    using publicKey = generator.createPublicKey();
    using encryptor = new this.seal.Encryptor(this.context, publicKey, this.secret);
    using zero = new this.seal.Plaintext(SLOTS_PER_SEGMENT);
    using ciphertext = new this.seal.Ciphertext();
    zero.setZero();
    encryptor.encryptSymmetric(zero, ciphertext);
    const bytes = bytesOf(ciphertext.saveToArray(this.seal.ComprModeType.none));
    if (bytes.length !== CIPHERTEXT_BYTES) throw new Error('SEAL writes ciphertexts of another size');
    return bytes;
  }

  [Symbol.dispose](): void {
    for (const held of [this.decryptor, this.scores, this.plain, this.secret]) held.delete();
  }

  private load({ c0, c1 }: EncryptedScores): void {
    // The header has an odd length: words are laid out aligned and copied behind it.
    for (let j = 0; j < SLOTS_PER_SEGMENT; j++) {
      this.words[2 * j] = c0[j] ?? 0;
      this.words[2 * (SLOTS_PER_SEGMENT + j)] = c1[j] ?? 0;
    }
    this.frame.set(new Uint8Array(this.words.buffer), CIPHERTEXT_HEADER);
    this.scores.loadFromArray(this.context, this.frame);
  }
}

/** node-seal declares its arrays as `any`; a copy, so that nothing points into SEAL's memory. */
function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  if (!(value instanceof Uint8Array)) throw new TypeError('SEAL returned no bytes');
  return new Uint8Array(value);
}
