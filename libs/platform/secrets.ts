import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Keyring } from './keyring.js';

export interface Secrets {
  /** 32 bytes or more; cursors and blind indexes are derived from it. */
  readonly secretKey: Buffer;
  /** The first signs, all are accepted. */
  readonly jwtPrivateKeys: readonly KeyObject[];
  readonly dbEncryptionKeys: Keyring;
  readonly ipHashSalt: Buffer;
  /** Ed25519; only the worker has it, which signs checkpoints of the audit log. */
  readonly auditSigningKey: KeyObject | undefined;
}

export const RANDOM = 'openssl rand -base64 32';

export const MAKE_AUDIT_KEY = 'openssl genpkey -algorithm ED25519';

/**
 * Every secret that an installation may have, which `backup secrets` keeps; all but custody_kms_token: it can be issued anew,
 * and whoever opened such a backup could unwrap custody_encryption_key with it.
 */
export const SECRET_NAMES = [
  'secret_key',
  'jwt_private_key',
  'db_encryption_key',
  'db_password',
  'db_worker_password',
  'db_custodian_password',
  'db_backup_password',
  'db_owner_password',
  'db_superuser_password',
  'redis_password',
  'ip_hash_salt',
  'elastic_password',
  'kibana_password',
  'kibana_operator_password',
  'kibana_encryption_key',
  'fluentd_password',
  'internal_authority_key',
  'internal_authority_certificate',
  'audit_signing_key',
  'custody_encryption_key',
  'aws_access_key_id',
  'aws_secret_access_key',
] as const;

export type Mode = 'development' | 'test' | 'production';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every secret; what is missing or malformed is named in `faults`, with how to make it. */
export function loadSecrets(env: Environment, mode: Mode, faults: string[]): Secrets | undefined {
  const read = (name: string): string | undefined => readSecret(env, mode, name);
  const dbEncryptionKeys = loadKeyring(env, mode, faults);
  const parse = <T>(name: string, make: string, parser: (text: string) => T | undefined): T | undefined =>
    parseSecret(read(name), name, make, parser, faults);
  const secretKey = parse('secret_key', RANDOM, strongBytes);
  const ipHashSalt = parse('ip_hash_salt', RANDOM, strongBytes);
  const jwtPrivateKeys = parse(
    'jwt_private_key',
    'openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072',
    rsaKeys,
  );
  // Who signs nothing needs none; what is there must be one.
  const auditKey = read('audit_signing_key');
  const auditSigningKey =
    auditKey === undefined ? undefined : parse('audit_signing_key', MAKE_AUDIT_KEY, ed25519Key);
  if (!secretKey || !ipHashSalt || !dbEncryptionKeys || !jwtPrivateKeys) return undefined;
  return {
    secretKey,
    ipHashSalt,
    dbEncryptionKeys,
    jwtPrivateKeys,
    auditSigningKey,
  };
}

/** Alone, for who needs no other secret. */
export function loadKeyring(env: Environment, mode: Mode, faults: string[]): Keyring | undefined {
  const [name, make] = ['db_encryption_key', `echo "k1:$(${RANDOM})"`];
  return parseSecret(readSecret(env, mode, name), name, make, Keyring.parse, faults);
}

function parseSecret<T>(
  text: string | undefined,
  name: string,
  make: string,
  parser: (text: string) => T | undefined,
  faults: string[],
): T | undefined {
  const value = text === undefined ? undefined : attempt(() => parser(text));
  if (value === undefined) {
    faults.push(
      `the secret ${name} is ${text === undefined ? 'missing' : 'malformed'}; make one with: ${make}`,
    );
  }
  return value;
}

function secretsDirectory(env: Environment, mode: Mode): string {
  return env['SECRETS_DIR'] ?? (mode === 'production' ? '/run/secrets' : resolve('.velum/secrets'));
}

/** The text of a secret, or undefined if there is none or it is empty. */
export function readSecret(env: Environment, mode: Mode, name: string): string | undefined {
  return findSecret(env, mode, name)?.text;
}

/** The same with where it is, for who reads it again. */
export function findSecret(
  env: Environment,
  mode: Mode,
  name: string,
): { readonly path: string; readonly text: string } | undefined {
  const named = env[`${name.toUpperCase()}_FILE`];
  const directory = secretsDirectory(env, mode);
  const candidates = named ? [named] : ['', '.txt', '.pem'].map((suffix) => join(directory, name + suffix));
  for (const path of candidates) {
    const text = attempt(() => readFileSync(path, 'utf8').trim());
    if (text) return { path, text };
  }
  return undefined;
}

function strongBytes(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length >= 32 ? bytes : undefined;
}

const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/g;

/** One or several, one after the other; one that is bad spoils them all. */
function rsaKeys(text: string): KeyObject[] | undefined {
  const keys = (text.match(PEM) ?? []).map(rsaKey);
  const good = keys.filter((key) => key !== undefined);
  return good.length > 0 && good.length === keys.length && text.replaceAll(PEM, '').trim() === ''
    ? good
    : undefined;
}

function rsaKey(pem: string): KeyObject | undefined {
  const key = createPrivateKey(pem);
  // RFC 7518 section 3.3: RS256 needs a key of 2048 bits or larger.
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return key.asymmetricKeyType === 'rsa' && bits >= 2048 ? key : undefined;
}

function ed25519Key(pem: string): KeyObject | undefined {
  const key = createPrivateKey(pem);
  return key.asymmetricKeyType === 'ed25519' ? key : undefined;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
