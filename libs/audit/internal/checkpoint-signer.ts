import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ED25519, keyId, vkeyOf } from '../verifier/verify-audit.mjs';

/** Signs checkpoints (C2SP tlog-checkpoint, signed-note) with the key of the log, under the name of the log. */
export class CheckpointSigner {
  readonly vkey: string;
  private readonly id: Buffer;

  constructor(
    readonly origin: string,
    private readonly key: KeyObject,
  ) {
    const publicKey = rawPublicKey(key);
    this.vkey = vkeyOf(origin, ED25519, publicKey);
    this.id = keyId(origin, ED25519, publicKey);
  }

  sign(size: number, root: Buffer): string {
    const body = `${this.origin}\n${size}\n${root.toString('base64')}\n`;
    const signature = Buffer.concat([this.id, sign(null, Buffer.from(body), this.key)]);
    return `${body}\n— ${this.origin} ${signature.toString('base64')}\n`;
  }
}

/** The 32 bytes of RFC 8032. */
export function rawPublicKey(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}
