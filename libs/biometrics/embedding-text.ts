import { MAX_DIMENSION } from '#homomorphic/parameters';

const NAME = Buffer.from('"embedding"');
const [SPACE, TAB, NEWLINE, RETURN] = [0x20, 0x09, 0x0a, 0x0d];
const [COMMA, MINUS, PLUS, POINT, COLON, OPEN, CLOSE] = [0x2c, 0x2d, 0x2b, 0x2e, 0x3a, 0x5b, 0x5d];
const [ZERO, NINE, BACKSLASH] = [0x30, 0x39, 0x5c];
/** A double tells no more apart. */
const DIGITS = 17;
/** Powers of ten up to it are exact. */
const EXACT_POWER = 22;

/**
 * Takes the numbers of the one member `embedding` out of the bytes of a JSON object, and leaves blanks: the text that JSON.parse
 * then sees says `"embedding": []`. As a string and an array of numbers they would stay in V8's heap until it is collected, and
 * after; what is answered here can be zeroed, which the caller MUST do.
 *
 * Each is within two units in the last place of what JSON.parse reads. Undefined, and nothing is changed, wherever it is no
 * plain list of numbers: whoever reads the text then says what is wrong.
 */
export function takeEmbedding(json: Uint8Array): Float64Array<ArrayBuffer> | undefined {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const at = bytes.indexOf(NAME);
  if (at < 0 || bytes[at - 1] === BACKSLASH || bytes.includes(NAME, at + 1)) return undefined;
  const text = new NumberText(bytes, at + NAME.length);
  if (!text.passes(COLON) || !text.passes(OPEN)) return undefined;
  const first = text.at;
  const found = new Float64Array(MAX_DIMENSION);
  for (let n = 0; n < MAX_DIMENSION; n++) {
    const value = text.number();
    if (value === undefined) break;
    found[n] = value;
    if (text.passes(COMMA)) continue;
    if (!text.passes(CLOSE)) break;
    bytes.fill(SPACE, first, text.at - 1);
    const embedding = found.slice(0, n + 1);
    found.fill(0);
    return embedding;
  }
  found.fill(0);
  return undefined;
}

/** RFC 8259 section 6, read without a string for each number. */
class NumberText {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  passes(byte: number): boolean {
    this.skipBlanks();
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  number(): number | undefined {
    this.skipBlanks();
    const negative = this.takes(MINUS);
    const begin = this.at;
    let [mantissa, digits, power] = [0, 0, 0];
    const takeDigits = (fraction: boolean): number => {
      const from = this.at;
      for (let byte = this.bytes[this.at] ?? 0; isDigit(byte); byte = this.bytes[++this.at] ?? 0) {
        if (digits < DIGITS) {
          mantissa = mantissa * 10 + byte - ZERO;
          if (mantissa > 0) digits++;
          if (fraction) power--;
        } else if (!fraction) power++;
      }
      return this.at - from;
    };
    const whole = takeDigits(false);
    if (whole === 0 || (whole > 1 && this.bytes[begin] === ZERO)) return undefined;
    if (this.takes(POINT) && takeDigits(true) === 0) return undefined;
    const exponent = this.exponent();
    if (exponent === undefined) return undefined;
    const scale = power + exponent;
    if (mantissa !== 0 && (Math.abs(scale) > 2 * EXACT_POWER || Math.abs(exponent) > 2 * EXACT_POWER))
      return undefined;
    const value = scaled(mantissa, scale);
    return negative ? -value : value;
  }

  private exponent(): number | undefined {
    const mark = this.bytes[this.at];
    if (mark !== 0x65 && mark !== 0x45) return 0;
    this.at++;
    const negative = this.takes(MINUS);
    if (!negative) this.takes(PLUS);
    const from = this.at;
    let value = 0;
    for (let byte = this.bytes[this.at] ?? 0; isDigit(byte); byte = this.bytes[++this.at] ?? 0) {
      value = Math.min(value * 10 + byte - ZERO, 1_000);
    }
    if (this.at === from) return undefined;
    return negative ? -value : value;
  }

  private takes(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private skipBlanks(): void {
    for (let byte = this.bytes[this.at]; isBlank(byte); byte = this.bytes[this.at]) this.at++;
  }
}

function scaled(mantissa: number, power: number): number {
  const near = Math.max(-EXACT_POWER, Math.min(EXACT_POWER, power));
  const rest = power - near;
  const value = near < 0 ? mantissa / 10 ** -near : mantissa * 10 ** near;
  return rest < 0 ? value / 10 ** -rest : value * 10 ** rest;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === NEWLINE || byte === RETURN;
}
