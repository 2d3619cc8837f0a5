const [SPACE, TAB, NEWLINE, RETURN] = [0x20, 0x09, 0x0a, 0x0d];
const [QUOTE, COMMA, COLON, OPEN, CLOSE] = [0x22, 0x2c, 0x3a, 0x5b, 0x5d];
const [SLASH, BACKSLASH, EQUALS] = [0x2f, 0x5c, 0x3d];
/** Outside of two digits side by side. */
const NO_DIGIT = 2 ** 12;

/** RFC 4648 section 4: what each byte counts. */
const DIGITS = new Uint16Array(256).fill(NO_DIGIT);
Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/').forEach((byte, value) => {
  DIGITS[byte] = value;
});

interface Base64Text {
  /** Behind the opening quote. */
  readonly from: number;
  /** Behind the closing one. */
  readonly end: number;
  readonly bytes: number;
}

/**
 * Takes the photographs of the one member `photo` or `photos` out of the bytes of a JSON object, and leaves blanks: the text that
 * JSON.parse then sees says `""` for each. As strings they would stay in V8's heap; what is answered here can be overwritten,
 * which the caller MUST do.
 *
 * Undefined, and nothing is changed, wherever one is no base64 of at most `mostBytes`: whoever reads the text then says what is
 * wrong.
 */
export function takePhotos(json: Buffer, mostBytes: number): Uint8Array<ArrayBuffer>[] | undefined {
  const at = valueAt(json);
  if (at === undefined) return undefined;
  const texts = json[at] === OPEN ? listAt(json, at + 1) : listOf(base64At(json, at));
  if (texts === undefined || texts.some(({ bytes }) => bytes > mostBytes)) return undefined;
  return texts.map((text) => {
    const photo = decoded(json, text);
    json[text.from] = QUOTE;
    json.fill(SPACE, text.from + 1, text.end);
    return photo;
  });
}

/** Where the value of the one member begins. */
function valueAt(json: Buffer): number | undefined {
  let found: number | undefined;
  for (const name of ['"photo"', '"photos"']) {
    const at = json.indexOf(name);
    if (at < 0) continue;
    if (found !== undefined || json[at - 1] === BACKSLASH || json.includes(name, at + 1)) return undefined;
    const colon = pastBlanks(json, at + name.length);
    if (json[colon] !== COLON) return undefined;
    found = pastBlanks(json, colon + 1);
  }
  return found;
}

function listAt(json: Buffer, from: number): Base64Text[] | undefined {
  const texts: Base64Text[] = [];
  for (let at = from; ; at++) {
    const text = base64At(json, pastBlanks(json, at));
    if (text === undefined) return undefined;
    texts.push(text);
    at = pastBlanks(json, text.end);
    if (json[at] === CLOSE) return texts;
    if (json[at] !== COMMA) return undefined;
  }
}

function listOf(text: Base64Text | undefined): Base64Text[] | undefined {
  return text && [text];
}

/** A slash may be escaped (RFC 8259 section 7), and by PHP is. */
function base64At(json: Buffer, at: number): Base64Text | undefined {
  if (json[at] !== QUOTE) return undefined;
  let digits = 0;
  let next = at + 1;
  for (; ; next++) {
    if (digit(json[next]) !== NO_DIGIT) digits++;
    else if (json[next] !== BACKSLASH || json[next + 1] !== SLASH) break;
  }
  for (let padding = 0; padding < 2 && json[next] === EQUALS; padding++) next++;
  if (json[next] !== QUOTE || digits === 0 || digits % 4 === 1) return undefined;
  return { from: at + 1, end: next + 1, bytes: Math.floor((digits * 3) / 4) };
}

function decoded(json: Buffer, { from, end, bytes }: Base64Text): Uint8Array<ArrayBuffer> {
  const photo = new Uint8Array(bytes);
  let [at, n] = [from, 0];
  // Four digits are three bytes, unless a slash among them is escaped.
  for (; n + 3 <= bytes; n += 3, at += 4) {
    const high = (digit(json[at]) << 6) | digit(json[at + 1]);
    const low = (digit(json[at + 2]) << 6) | digit(json[at + 3]);
    if (((high | low) & ((NO_DIGIT << 6) | NO_DIGIT)) !== 0) break;
    const three = (high << 12) | low;
    photo[n] = three >> 16;
    photo[n + 1] = three >> 8;
    photo[n + 2] = three;
  }
  let [bits, held] = [0, 0];
  for (; at < end && n < bytes; at++) {
    const next = digit(json[at]);
    if (next === NO_DIGIT) continue;
    bits = ((bits << 6) | next) & 0xff_ffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    photo[n++] = bits >> held;
  }
  return photo;
}

/** Behind the end is none. */
function digit(byte: number | undefined): number {
  return DIGITS[byte ?? 0] ?? NO_DIGIT;
}

function pastBlanks(json: Buffer, from: number): number {
  let at = from;
  for (let byte = json[at]; byte === SPACE || byte === TAB || byte === NEWLINE || byte === RETURN;) {
    byte = json[++at];
  }
  return at;
}
