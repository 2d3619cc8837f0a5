import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAKERS: Readonly<Record<string, () => string>> = {
  secret_key: random,
  ip_hash_salt: random,
  db_password: password,
  db_worker_password: password,
  db_custodian_password: password,
  db_backup_password: password,
  redis_password: password,
  db_encryption_key: () => `dev1:${randomBytes(32).toString('base64')}`,
  custody_encryption_key: () => `dev1:${randomBytes(32).toString('base64')}`,
  audit_signing_key: () =>
    generateKeyPairSync('ed25519', {
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey,
  jwt_private_key: () =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey,
};

/** Makes each development secret once in `folder`, readable by its owner only. */
export function makeDevelopmentSecrets(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  for (const [name, make] of Object.entries(MAKERS)) {
    const path = join(folder, name);
    if (!existsSync(path)) writeFileSync(path, `${make()}\n`, { mode: 0o600 });
  }
}

function password(): string {
  return randomBytes(24).toString('base64url');
}

function random(): string {
  return randomBytes(32).toString('base64');
}
