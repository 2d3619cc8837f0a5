import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Keyring } from './keyring.js';

export interface Secrets {
  /** 32 bytes or more; cursors and blind indexes are derived from it. */
  readonly secretKey: Buffer;
  readonly jwtPrivateKey: KeyObject;
  readonly dbEncryptionKeys: Keyring;
  readonly dbPassword: string | undefined;
  readonly redisPassword: string | undefined;
  readonly ipHashSalt: Buffer;
}

export type Mode = 'development' | 'test' | 'production';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every secret; what is missing or malformed is named in `faults`, with how to make it. */
export function loadSecrets(env: Environment, mode: Mode, faults: string[]): Secrets | undefined {
  const read = (name: string): string | undefined => readSecret(env, mode, name);
  const parse = <T>(name: string, make: string, parser: (text: string) => T | undefined): T | undefined => {
    const text = read(name);
    const value = text === undefined ? undefined : attempt(() => parser(text));
    if (value === undefined) {
      faults.push(
        `the secret ${name} is ${text === undefined ? 'missing' : 'malformed'}; make one with: ${make}`,
      );
    }
    return value;
  };
  const random = 'openssl rand -base64 32';
  const secretKey = parse('secret_key', random, strongBytes);
  const ipHashSalt = parse('ip_hash_salt', random, strongBytes);
  const dbEncryptionKeys = parse('db_encryption_key', `echo "k1:$(${random})"`, Keyring.parse);
  const jwtPrivateKey = parse(
    'jwt_private_key',
    'openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072',
    rsaKey,
  );
  if (!secretKey || !ipHashSalt || !dbEncryptionKeys || !jwtPrivateKey) return undefined;
  return {
    secretKey,
    ipHashSalt,
    dbEncryptionKeys,
    jwtPrivateKey,
    dbPassword: read('db_password'),
    redisPassword: read('redis_password'),
  };
}

function secretsDirectory(env: Environment, mode: Mode): string {
  return env['SECRETS_DIR'] ?? (mode === 'production' ? '/run/secrets' : resolve('.velum/secrets'));
}

/** Undefined where there is none: whether it is needed, the caller knows. */
export function readSecret(env: Environment, mode: Mode, name: string): string | undefined {
  const named = env[`${name.toUpperCase()}_FILE`];
  const directory = secretsDirectory(env, mode);
  const candidates = named ? [named] : ['', '.txt', '.pem'].map((suffix) => join(directory, name + suffix));
  for (const path of candidates) {
    const text = attempt(() => readFileSync(path, 'utf8').trim());
    if (text) return text;
  }
  return undefined;
}

function strongBytes(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length >= 32 ? bytes : undefined;
}

function rsaKey(pem: string): KeyObject | undefined {
  const key = createPrivateKey(pem);
  // RFC 7518 section 3.3: RS256 needs a key of 2048 bits or larger.
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return key.asymmetricKeyType === 'rsa' && bits >= 2048 ? key : undefined;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
