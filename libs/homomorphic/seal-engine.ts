import { type Ciphertext, type Decryptor, initialize, type MainModule, type SEALContext } from 'node-seal';
import { DELTA, Q, SLOTS_PER_SEGMENT, T } from './parameters.js';
import { asScore, type Score } from './quantised-vector.js';
import { asMasks, encodeInto, type MaskMatrix } from './sealed-row.js';
import { ScoreOpener, type TransformedSecret } from './kernel/score-opener.js';
import type { EncryptedScores } from './kernel/segment-memory.js';

/**
 * SEAL's uncompressed serialisation: of a fresh BFV ciphertext, 113 bytes of headers and then the N coefficients of
 * c0 and of c1 as 64-bit words; of a plaintext, 88 bytes and then its coefficients, trailing zeros cut off. Checked
 * when the engine starts.
 */
const CIPHERTEXT_HEADER = 113;
const PLAINTEXT_HEADER = 88;
const CIPHERTEXT_BYTES = CIPHERTEXT_HEADER + 2 * SLOTS_PER_SEGMENT * 8;

export interface OpenedSegment {
  /** N pads of d words: pad j at j·d. Secret: whoever has a pad and its row has the template. */
  readonly pads: Uint32Array<ArrayBuffer>;
  readonly masks: MaskMatrix;
}

/** SEAL with Velum's parameters; one for each thread, as its memory cannot be shared. */
export class SealEngine {
  private constructor(
    private readonly seal: MainModule,
    private readonly context: SEALContext,
    private readonly opener: ScoreOpener,
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
    const engine = new SealEngine(seal, context, await ScoreOpener.load());
    engine.selfCheck();
    return engine;
  }

  /** A new secret key in SEAL's serialisation. The caller MUST zero it after use. */
  createSecretKey(): Uint8Array<ArrayBuffer> {
    using generator = new this.seal.KeyGenerator(this.context);
    using secret = generator.secretKey();
    return bytesOf(secret.saveToArray(this.seal.ComprModeType.none));
  }

  loadKey(secretKey: Uint8Array): GalleryKey {
    return new GalleryKey(this.seal, this.context, this.opener, secretKey);
  }

  /** Seals and opens one known segment, so that a change of SEAL's formats stops the start and not a match. */
  private selfCheck(): void {
    const secret = this.createSecretKey();
    using key = this.loadKey(secret);
    secret.fill(0);
    const { pads, masks } = key.openSegment(16);
    const one = new Uint32Array(SLOTS_PER_SEGMENT);
    const digits = new Int16Array(masks.buffer);
    for (let k = 0; k < SLOTS_PER_SEGMENT; k++) {
      const word = (digits[k * 32] ?? 0) + (digits[k * 32 + 8] ?? 0) * 65_536;
      one[k] = word < 0 ? word + Q : word;
    }
    // The first ciphertext alone, with 3·⌊q/t⌋ added to slot 5: it must open to 3 there and to 0 elsewhere.
    const c0 = Uint32Array.from({ length: SLOTS_PER_SEGMENT }, (_, j) => pads[j * 16] ?? 0);
    c0[5] = ((c0[5] ?? 0) + 3 * ((Q - 1) / T)) % Q;
    const slots = [5, 6, 2047];
    for (const opened of [key.openScores({ c0, c1: one }, slots), key.openWithSeal({ c0, c1: one }, slots)]) {
      if (opened.join() !== '3,0,0')
        throw new Error('what was sealed does not open: another version of SEAL?');
    }
  }
}

/** One gallery's secret key with the SEAL objects that use it; dispose of it, as they live outside V8's heap. */
export class GalleryKey {
  private readonly decryptor: Decryptor;
  private readonly scores: Ciphertext;
  private readonly plain;
  private readonly frame: Uint8Array<ArrayBuffer>;
  private readonly words = new Uint32Array(4 * SLOTS_PER_SEGMENT);
  private readonly secret;
  private readonly transformed: TransformedSecret;

  constructor(
    private readonly seal: MainModule,
    private readonly context: SEALContext,
    private readonly opener: ScoreOpener,
    secretKey: Uint8Array,
  ) {
    this.secret = new seal.SecretKey();
    // node-seal takes a Uint8Array and no subclass of it, such as Buffer.
    const bytes = new Uint8Array(secretKey);
    this.secret.loadFromArray(context, bytes);
    bytes.fill(0);
    this.decryptor = new seal.Decryptor(context, this.secret);
    this.scores = new seal.Ciphertext();
    this.plain = new seal.Plaintext(SLOTS_PER_SEGMENT);
    this.frame = this.freshZero(() => undefined, 1);
    const digits = this.secretDigits();
    this.transformed = opener.transformSecret(digits);
    digits.fill(0);
  }

  /**
   * Encrypts zero `words` times (the padded dimension). SEAL draws the masks and the noise from its own
   * cryptographic generator; a segment is never opened twice from the same randomness.
   */
  openSegment(words: number): OpenedSegment {
    const pads = new Uint32Array(SLOTS_PER_SEGMENT * words);
    const columns = new Uint32Array(SLOTS_PER_SEGMENT * words);
    this.freshZero((ciphertext, i) => {
      const view = new DataView(ciphertext.buffer, ciphertext.byteOffset);
      for (let j = 0; j < SLOTS_PER_SEGMENT; j++) {
        pads[j * words + i] = view.getUint32(CIPHERTEXT_HEADER + 8 * j, true);
        columns[j * words + i] = view.getUint32(CIPHERTEXT_HEADER + 8 * (SLOTS_PER_SEGMENT + j), true);
      }
      ciphertext.fill(0);
    }, words);
    const masks = new Uint8Array(columns.length * 4);
    encodeInto(new Int16Array(masks.buffer), 0, columns);
    return { pads, masks: asMasks(masks, words, SLOTS_PER_SEGMENT) };
  }

  /**
   * Decrypts and returns the scores of `slots`. Every one MUST hold a row: an unused slot would leak of its pad.
   *
   * The noise of a score is Σ p_i·e_i with |p| ≈ 256 and SEAL's e of deviation 3.2: deviation 820. It decrypts
   * exactly below q/(2t) = 8,190, ten deviations: a wrong score has a probability below 10^-22, at any dimension.
   */
  openScores(scores: EncryptedScores, slots: ArrayLike<number>): Score[] {
    const all = this.opener.open(scores, this.transformed);
    const opened: Score[] = [];
    // Array.from takes longer than the decryption itself.
    for (let i = 0; i < slots.length; i++) opened.push(asScore(all[slots[i] ?? 0] ?? 0));
    all.fill(0);
    return opened;
  }

  /** The same by SEAL's own decryptor: the reference of openScores. */
  openWithSeal(scores: EncryptedScores, slots: ArrayLike<number>): Score[] {
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

  /** How many bits of noise a ciphertext of scores still has room for; SEAL's measure, for tests and benchmarks. */
  noiseBudget(scores: EncryptedScores): number {
    this.load(scores);
    return this.decryptor.invariantNoiseBudget(this.scores);
  }

  [Symbol.dispose](): void {
    this.transformed.fill(0);
    for (const held of [this.decryptor, this.scores, this.plain, this.secret]) held.delete();
  }

  /**
   * The N coefficients of the secret key, each -1, 0 or 1: what SEAL decrypts (0, ⌊q/t⌋) to, as ⌊q/t⌋·s is s lifted.
   * SEAL itself writes the key in its transform's order only.
   */
  private secretDigits(): Int8Array {
    const c1 = new Uint32Array(SLOTS_PER_SEGMENT);
    c1[0] = DELTA;
    const slots = Array.from(c1, (_, slot) => slot);
    return Int8Array.from(this.openWithSeal({ c0: new Uint32Array(SLOTS_PER_SEGMENT), c1 }, slots));
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

  /** Hands each of `count` fresh encryptions of zero, serialised, to `take`; answers a frame for openScores. */
  private freshZero(
    take: (bytes: Uint8Array<ArrayBuffer>, i: number) => void,
    count: number,
  ): Uint8Array<ArrayBuffer> {
    using generator = new this.seal.KeyGenerator(this.context, this.secret);
    using publicKey = generator.createPublicKey();
    using encryptor = new this.seal.Encryptor(this.context, publicKey, this.secret);
    using zero = new this.seal.Plaintext(SLOTS_PER_SEGMENT);
    using ciphertext = new this.seal.Ciphertext();
    zero.setZero();
    let frame = new Uint8Array(0);
    for (let i = 0; i < count; i++) {
      encryptor.encryptSymmetric(zero, ciphertext);
      const bytes = bytesOf(ciphertext.saveToArray(this.seal.ComprModeType.none));
      if (bytes.length !== CIPHERTEXT_BYTES) throw new Error('SEAL writes ciphertexts of another size');
      frame = bytes;
      take(bytes, i);
    }
    return frame;
  }
}

/** node-seal declares its arrays as `any`; a copy, so that nothing points into SEAL's memory. */
function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  if (!(value instanceof Uint8Array)) throw new TypeError('SEAL returned no bytes');
  return new Uint8Array(value);
}
