import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { rawPublicKey } from './internal/checkpoint-signer.js';
import { COSIGNATURE, cosignedMessage, keyId, vkeyOf } from './verifier/verify-audit.mjs';

export interface WitnessKey {
  readonly name: string;
  readonly key: KeyObject;
}

/** A new key in PEM, and what whoever relies on the witness is given. */
export function makeWitnessKey(name: string): { readonly pem: string; readonly vkey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { pem: `${name}\n${pem}`, vkey: vkeyOf(name, COSIGNATURE, rawPublicKey(privateKey)) };
}

/** Reads what `makeWitnessKey` wrote: the name, then the key. Undefined if it is neither. */
export function parseWitnessKey(text: string): WitnessKey | undefined {
  const [name = '', ...pem] = text.split('\n');
  try {
    const key = createPrivateKey(pem.join('\n'));
    return key.asymmetricKeyType === 'ed25519' && isKeyName(name) ? { name, key } : undefined;
  } catch {
    return undefined;
  }
}

/** C2SP signed-note: neither spaces nor plus signs. */
export function isKeyName(name: string): boolean {
  return /^[^\s+]{1,200}$/.test(name);
}

/** The signature line of C2SP tlog-cosignature, cosignature/v1, under a checkpoint that was found consistent. */
export function cosignature({ name, key }: WitnessKey, body: string, at: Date): string {
  const seconds = BigInt(Math.floor(at.getTime() / 1_000));
  const timestamp = Buffer.alloc(8);
  timestamp.writeBigUInt64BE(seconds);
  const id = keyId(name, COSIGNATURE, rawPublicKey(key));
  const signature = sign(null, cosignedMessage(body, seconds), key);
  return `— ${name} ${Buffer.concat([id, timestamp, signature]).toString('base64')}\n`;
}
