import type { ValueTransformer } from 'typeorm';
import type { Keyring } from './keyring.js';

let installed: Keyring | undefined;

/** TypeORM builds transformers when a class is defined, before any configuration is read: hence this one slot. */
export function installKeyring(loaded: Keyring): void {
  installed = loaded;
}

function keyring(): Keyring {
  if (installed === undefined) throw new Error('the encryption keys have not been loaded');
  return installed;
}

/** A text column stored as AES-256-GCM bytes; `column` ("table.column") is authenticated with the value. */
export function encryptedText(column: string): ValueTransformer {
  return {
    to: (value: string | null | undefined) =>
      typeof value === 'string' ? keyring().encrypt(Buffer.from(value, 'utf8'), column) : value,
    from: (value: Buffer | null | undefined) =>
      value instanceof Uint8Array ? keyring().decrypt(value, column).toString('utf8') : value,
  };
}
