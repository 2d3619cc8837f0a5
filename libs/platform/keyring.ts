import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;

/** Before the ids of the keys that only the custodian has: no id in a secret can hold a colon. */
export const CUSTODY = 'custody:';

/** A stored value cannot be opened: its key is not in the secret, or it was changed or moved. */
export class SealedValueUnreadable extends Error {
  override readonly name = 'SealedValueUnreadable';
}

/** Who holds the keys vouches for a text that lies outside of the database. */
export interface KeyedSignature {
  readonly keyId: string;
  /** HMAC-SHA256, base64. */
  readonly mac: string;
}

/**
 * AES-256-GCM under the keys of the secret `db_encryption_key` or `custody_encryption_key`: one `id:base64` a line. The
 * first encrypts; all of them decrypt, so that a key can be replaced while the old one is still being re-wrapped.
 *
 * Format: length of the key id (1 byte), key id, nonce (12), ciphertext, tag (16). The key id and the context are
 * authenticated, so that a value cannot be moved to another row or column (NIST SP 800-38D section 8.2.2: random
 * 96-bit nonces stay safe to 2^32 values a key).
 */
export class Keyring {
  private constructor(
    private readonly keys: ReadonlyMap<string, Buffer>,
    readonly currentKeyId: string,
    private readonly kind: '' | typeof CUSTODY,
  ) {}

  static parse(this: void, text: string): Keyring | undefined {
    return Keyring.read(text, '');
  }

  /** Of `custody_encryption_key`: the ids of its keys differ from those of db_encryption_key, whatever their lines say. */
  static parseCustody(this: void, text: string): Keyring | undefined {
    return Keyring.read(text, CUSTODY);
  }

  private static read(text: string, kind: '' | typeof CUSTODY): Keyring | undefined {
    const keys = new Map<string, Buffer>();
    for (const line of text.split(/\s+/).filter((part) => part !== '')) {
      const colon = line.indexOf(':');
      const id = line.slice(0, colon);
      const key = Buffer.from(line.slice(colon + 1), 'base64');
      if (colon < 1 || !KEY_ID.test(id) || key.length !== 32 || keys.has(kind + id)) return undefined;
      keys.set(kind + id, key);
    }
    const [current] = keys.keys();
    return current === undefined ? undefined : new Keyring(keys, current, kind);
  }

  get keyIds(): readonly string[] {
    return [...this.keys.keys()];
  }

  /** `context` says what the text is; the same must be given to `isGenuine`. */
  sign(text: string, context: string): KeyedSignature {
    return { keyId: this.currentKeyId, mac: this.mac(text, context, this.currentKeyId).toString('base64') };
  }

  /** Throws SealedValueUnreadable if the key that signed is not in the secret. */
  isGenuine(text: string, context: string, { keyId, mac }: KeyedSignature): boolean {
    const [wanted, given] = [this.mac(text, context, keyId), Buffer.from(mac, 'base64')];
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  /** The text that `parse` or `parseCustody` reads, for the thread that opens keys. */
  serialise(): string {
    return [...this.keys]
      .map(([id, key]) => `${id.slice(this.kind.length)}:${key.toString('base64')}`)
      .join('\n');
  }

  /** Opens what is under keys of `other` as well, and puts nothing under them. */
  alsoOpening(other: Keyring): Keyring {
    return new Keyring(new Map([...other.keys, ...this.keys]), this.currentKeyId, this.kind);
  }

  /** `context` says where the value stands; the same must be given to `decrypt`. */
  encrypt(plaintext: Uint8Array, context: string): Buffer {
    const id = Buffer.from(this.currentKeyId);
    const head = Buffer.concat([Buffer.from([id.length]), id]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key(this.currentKeyId), nonce);
    cipher.setAAD(Buffer.concat([head, Buffer.from(context)]));
    return Buffer.concat([head, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  decrypt(sealed: Uint8Array, context: string): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const headLength = 1 + (bytes[0] ?? 0);
    const head = bytes.subarray(0, headLength);
    if (bytes.length < headLength + NONCE_BYTES + TAG_BYTES)
      throw new SealedValueUnreadable('truncated value');
    const key = this.key(head.subarray(1).toString());
    const nonce = bytes.subarray(headLength, headLength + NONCE_BYTES);
    const body = bytes.subarray(headLength + NONCE_BYTES, bytes.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.concat([head, Buffer.from(context)]));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      // GCM gives out all of it before it is checked, and nothing at the end.
      const plaintext = decipher.update(body);
      decipher.final();
      return plaintext;
    } catch {
      throw new SealedValueUnreadable('the value fails authentication');
    }
  }

  /** The same value under the current key; undefined if no key of the secret opens it. */
  reseal(sealed: Uint8Array, context: string): Buffer | undefined {
    try {
      const value = this.decrypt(sealed, context);
      const fresh = this.encrypt(value, context);
      value.fill(0);
      return fresh;
    } catch (error) {
      if (error instanceof SealedValueUnreadable) return undefined;
      throw error;
    }
  }

  /** Under a key of its own for each context: what encrypts never signs. */
  private mac(text: string, context: string, keyId: string): Buffer {
    const key = hkdfSync('sha256', this.key(keyId), '', `velum signature ${context}`, 32);
    return createHmac('sha256', Buffer.from(key)).update(text).digest();
  }

  private key(id: string): Buffer {
    const key = this.keys.get(id);
    if (key !== undefined) return key;
    const secret = id.startsWith(CUSTODY) ? 'custody_encryption_key' : 'db_encryption_key';
    throw new SealedValueUnreadable(`the key of this value is not in ${secret}`);
  }
}
