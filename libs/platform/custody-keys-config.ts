import { whole } from './environment-values.js';
import { Keyring } from './keyring.js';
import { type Environment, type Mode, RANDOM, readSecret } from './secrets.js';

/** What only the process that holds custody is told: how to come by the keys that wrap segment secrets. */
export interface CustodyKeysConfig {
  /** The secret custody_encryption_key: keys, or with `kms` what it makes keys from. */
  readonly lines: string;
  readonly kms: KmsConfig | undefined;
  /** db_encryption_key, under which installations of before have them still. */
  readonly former: Keyring | undefined;
  /** So long the version before, which knows `former` alone, may serve as well or come back. */
  readonly adoptionHours: number;
}

/** A Vault or OpenBao that holds the key of the keys, in its transit engine. */
export interface KmsConfig {
  /** Of the transit key: https://vault:8200/v1/transit/decrypt/velum. */
  readonly url: string;
  readonly token: string;
  /** PEM: who signs its certificate. Undefined: the authorities that Node knows. */
  readonly caFile: string | undefined;
}

const WRAP = `echo "c1:$(vault write -field=ciphertext -f transit/datakey/wrapped/velum)"`;
const WRAPPED = /^[A-Za-z0-9_-]{1,32}:vault:v\d+:[A-Za-z0-9+/]+={0,2}$/;

/** Undefined where the process holds no custody, which then does not read the secret either. */
export function parseCustodyKeys(
  env: Environment,
  mode: Mode,
  former: Keyring | undefined,
  faults: string[],
): CustodyKeysConfig | undefined {
  const kms = env['CUSTODY_KMS_URL'] ? parseKms(env, mode, env['CUSTODY_KMS_URL'], faults) : undefined;
  const lines = readSecret(env, mode, 'custody_encryption_key');
  const sound = kms === undefined ? Keyring.parseCustody(lines ?? '') !== undefined : isWrapped(lines ?? '');
  if (!sound) {
    const state = lines === undefined ? 'missing' : 'malformed';
    const make = kms === undefined ? `echo "c1:$(${RANDOM})"` : WRAP;
    faults.push(`the secret custody_encryption_key is ${state}; make one with: ${make}`);
  }
  const adoptionHours = whole(env, 'CUSTODY_ADOPTION_HOURS', 24, 0, 8_760, faults);
  return Object.freeze({ lines: lines ?? '', kms, former, adoptionHours });
}

function parseKms(env: Environment, mode: Mode, text: string, faults: string[]): KmsConfig {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const allowed = mode === 'production' ? ['https:'] : ['https:', 'http:'];
  if (url === undefined || !allowed.includes(url.protocol)) {
    faults.push('CUSTODY_KMS_URL must be such as https://vault:8200/v1/transit/decrypt/velum');
  }
  const token = readSecret(env, mode, 'custody_kms_token');
  if (token === undefined) faults.push('the secret custody_kms_token is missing: a token of that service');
  return { url: text, token: token ?? '', caFile: env['CUSTODY_KMS_CA_FILE'] || undefined };
}

function isWrapped(lines: string): boolean {
  const all = lines.split(/\s+/).filter((line) => line !== '');
  return all.length > 0 && all.every((line) => WRAPPED.test(line));
}
