import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type BackupConfig, parseBackupConfig } from './backup-config.js';
import { type CustodyKeysConfig, parseCustodyKeys } from './custody-keys-config.js';
import { PASSWORD_FILE, passwordsIn } from './database-client.js';
import {
  type CustodianClientConfig,
  parseCustodianClient,
  parseTlsFiles,
  type TlsFiles,
} from './custodian-config.js';
import { type DetectionConfig, parseDetectionConfig } from './detection-config.js';
import { checkDatabaseTransport, redisAuthorityFile } from './encrypted-transport.js';
import { list, oneOf, whole } from './environment-values.js';
import type { Keyring } from './keyring.js';
import { type OpeningConfig, parseOpeningConfig } from './opening-config.js';
import { NetworkList } from './network-list.js';
import {
  type Environment,
  loadKeyring,
  loadSecrets,
  type Mode,
  findSecret,
  readSecret,
  SECRET_NAMES,
  type Secrets,
} from './secrets.js';

/** What custody in a process needs. */
export interface CustodyConfig {
  /** As the custodian, who alone reads keys: a URL as `databaseUrl` is. Undefined: the process has none. */
  readonly custodianDatabaseUrl: string | undefined;
  /** Threads that seal templates and open scores. */
  readonly sealWorkers: number;
  /** Undefined with `custodianDatabaseUrl`. */
  readonly custodyKeys: CustodyKeysConfig | undefined;
  readonly openings: OpeningConfig;
}

export interface Config extends CustodyConfig {
  readonly mode: Mode;
  readonly host: string;
  readonly port: number;
  readonly metricsHost: string;
  /** Undefined: the default of the app. */
  readonly metricsPort: number | 'off' | undefined;
  /** Where TLS and certificates stand, too: sslmode, sslrootcert, sslcert, sslkey as libpq has them. */
  readonly databaseUrl: string;
  /** Undefined: keys are in this process, by `custodianDatabaseUrl`. */
  readonly custodian: CustodianClientConfig | undefined;
  readonly redisUrl: string;
  /** PEM: who signs Redis's certificate; read anew for each connection. Undefined: the authorities that Node knows. */
  readonly redisCaFile: string | undefined;
  /** Read anew for each connection. */
  readonly redisPasswordFile: string | undefined;
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  /** The name of the audit log, which its checkpoints bear. */
  readonly auditOrigin: string;
  /** Public keys that signed checkpoints before the present one (C2SP signed-note). */
  readonly auditFormerKeys: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly logLevel: string;
  readonly faceWorkers: number;
  readonly matchWorkers: number;
  /** Above it, the galleries matched least recently are dropped from memory. */
  readonly matchMemoryBytes: number;
  /** How long a search waits for a gallery that is being loaded. */
  readonly galleryLoadSeconds: number;
  /** Of the worker's threads, 0 to 19: the higher, the more it leaves to the API on the same machine. */
  readonly workerNice: number;
  /** Where uploads of bulk jobs wait, encrypted; api and worker share it. */
  readonly spoolFolder: string;
  /** Private receivers of webhooks that the operator allows. */
  readonly webhookAllowedNetworks: NetworkList;
  /** How long a receiver of a webhook may take. */
  readonly webhookTimeoutSeconds: number;
  /** The wait before the second attempt; each later one waits four times as long. */
  readonly webhookRetryMs: number;
  readonly accessTokenSeconds: number;
  readonly clientRequestsPerMinute: number;
  readonly ipRequestsPerMinute: number;
  /** Undefined: no backups are made of this installation, and its erasures go nowhere. */
  readonly backup: BackupConfig | undefined;
  readonly detection: DetectionConfig;
  /** No client decides what officers are for, whether or not there are any. */
  readonly requireOfficers: boolean;
  readonly secrets: Secrets;
}

/** The custodian's, which knows no other secret, no other database and no Redis. */
export interface CustodianConfig
  extends CustodyConfig, Pick<Config, 'mode' | 'host' | 'port' | 'metricsHost' | 'metricsPort' | 'logLevel'> {
  readonly tls: TlsFiles;
}

/** What a backup needs, and no more: the process that makes one knows none of the other secrets. */
export interface BackupEnvironment extends Pick<Config, 'metricsHost' | 'metricsPort' | 'logLevel'> {
  readonly backup: BackupConfig;
  readonly keyring: Keyring;
  /** Undefined: no snapshot of it is taken. */
  readonly redis: Pick<Config, 'redisUrl' | 'redisCaFile'> | undefined;
}

/** A variable or secret is missing or malformed. The message names it and never shows its value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** Whose connection `databaseUrl` is, and the secret that its password may come from. */
const DATABASE_OF = {
  api: ['DATABASE_URL', 'db_password'],
  worker: ['WORKER_DATABASE_URL', 'db_worker_password'],
} as const;

/** Reads, validates and freezes the configuration; throws one ConfigurationError that names all that is wrong. */
export function loadConfig(env: Environment = process.env): Config {
  return configOf('api', env);
}

/** The same with the worker's connection in `databaseUrl`. */
export function loadWorkerConfig(env: Environment = process.env): Config {
  return configOf('worker', env);
}

function configOf(app: keyof typeof DATABASE_OF, env: Environment): Config {
  const faults: string[] = [];
  const mode = modeOf(env, faults);
  const required = (name: string, developmentDefault: string): string => {
    const value = env[name] ?? (mode === 'production' ? undefined : developmentDefault);
    if (!value) faults.push(`${name} is not set`);
    return value ?? '';
  };
  const secrets = loadSecrets(env, mode, faults);
  const [name, password] = DATABASE_OF[app];
  const databaseUrl = databaseUrlOf(env, mode, name, password, faults);
  const custodianDatabaseUrl = env['CUSTODIAN_DATABASE_URL']
    ? databaseUrlOf(env, mode, 'CUSTODIAN_DATABASE_URL', 'db_custodian_password', faults)
    : undefined;
  const custodyKeys =
    custodianDatabaseUrl === undefined
      ? undefined
      : parseCustodyKeys(env, mode, secrets?.dbEncryptionKeys, faults);
  const custodian = parseCustodianClient(env, faults);
  const redis = redisOf(env, mode, faults);
  const jwtIssuer = required('JWT_ISSUER', 'http://velum.localhost');
  const jwtAudience = required('JWT_AUDIENCE', 'velum');
  const auditOrigin = env['AUDIT_ORIGIN'] || `${hostOf(jwtIssuer)}/audit`;
  // C2SP signed-note: a name holds neither spaces nor plus signs.
  if (!/^[^\s+]{1,200}$/.test(auditOrigin))
    faults.push('AUDIT_ORIGIN must be a name such as velum.example/audit');
  const numbers = {
    port: whole(env, 'PORT', 3000, 0, 65_535, faults),
    faceWorkers: whole(env, 'FACE_WORKERS', availableParallelism(), 1, 256, faults),
    sealWorkers: whole(env, 'SEAL_WORKERS', availableParallelism(), 1, 256, faults),
    matchWorkers: whole(env, 'MATCH_WORKERS', availableParallelism(), 1, 256, faults),
    workerNice: whole(env, 'WORKER_NICE', 10, 0, 19, faults),
    galleryLoadSeconds: whole(env, 'GALLERY_LOAD_SECONDS', 20, 1, 600, faults),
    webhookTimeoutSeconds: whole(env, 'WEBHOOK_TIMEOUT_SECONDS', 10, 1, 30, faults),
    webhookRetryMs: whole(env, 'WEBHOOK_RETRY_MS', 15_000, 10, 60_000, faults),
    accessTokenSeconds: whole(env, 'ACCESS_TOKEN_SECONDS', 900, 10, 86_400, faults),
    clientRequestsPerMinute: whole(env, 'RATE_LIMIT_CLIENT_PER_MINUTE', 6_000, 1, 10_000_000, faults),
    ipRequestsPerMinute: whole(env, 'RATE_LIMIT_IP_PER_MINUTE', 12_000, 1, 10_000_000, faults),
  };
  const matchMemoryBytes = whole(env, 'MATCH_MEMORY_MB', 4_096, 64, 1_048_576, faults) * 2 ** 20;
  const internal = internalOf(env, mode, faults);
  const corsOrigins = list(env, 'CORS_ORIGINS');
  for (const origin of corsOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      faults.push('CORS_ORIGINS must be origins such as https://app.example, with no path and no *');
  }
  const webhookAllowedNetworks = NetworkList.parse(list(env, 'WEBHOOK_ALLOWED_NETWORKS'));
  if (webhookAllowedNetworks === undefined)
    faults.push('WEBHOOK_ALLOWED_NETWORKS must be addresses, networks such as 10.1.0.0/16, or host names');
  const backup = env['BACKUP_TARGET'] ? parseBackupConfig(env, mode, faults) : undefined;
  const detection = parseDetectionConfig(env, faults);
  const openings = parseOpeningConfig(env, faults);
  const requireOfficers = oneOf(env, 'REQUIRE_OFFICERS', ['false', 'true'], faults) === 'true';
  if (faults.length > 0 || secrets === undefined || webhookAllowedNetworks === undefined) {
    throw faulty(faults);
  }
  return Object.freeze({
    mode,
    host: env['HOST'] ?? (mode === 'production' ? '0.0.0.0' : '127.0.0.1'),
    ...internal,
    databaseUrl,
    custodianDatabaseUrl,
    custodyKeys,
    custodian,
    ...redis,
    jwtIssuer,
    jwtAudience,
    auditOrigin,
    auditFormerKeys: Object.freeze(list(env, 'AUDIT_FORMER_KEYS')),
    corsOrigins: Object.freeze(corsOrigins),
    trustedProxies: Object.freeze(list(env, 'TRUSTED_PROXIES')),
    spoolFolder: resolve(
      env['SPOOL_DIR'] ?? (mode === 'production' ? '/var/lib/velum/spool' : '.velum/spool'),
    ),
    matchMemoryBytes,
    webhookAllowedNetworks,
    backup,
    detection,
    openings,
    requireOfficers,
    secrets: Object.freeze(secrets),
    ...numbers,
  });
}

/** For the process that alone has keys. */
export function loadCustodianConfig(env: Environment = process.env): CustodianConfig {
  const faults: string[] = [];
  const mode = modeOf(env, faults);
  // Only where installations of before have segments under it, until they are under the custodian's own.
  const former =
    readSecret(env, mode, 'db_encryption_key') === undefined ? undefined : loadKeyring(env, mode, faults);
  const custodyKeys = parseCustodyKeys(env, mode, former, faults);
  const custodianDatabaseUrl = databaseUrlOf(
    env,
    mode,
    'CUSTODIAN_DATABASE_URL',
    'db_custodian_password',
    faults,
  );
  const numbers = {
    port: whole(env, 'CUSTODIAN_PORT', 7443, 0, 65_535, faults),
    sealWorkers: whole(env, 'SEAL_WORKERS', availableParallelism(), 1, 256, faults),
  };
  const openings = parseOpeningConfig(env, faults);
  const tls = parseTlsFiles(env, faults);
  const internal = internalOf(env, mode, faults);
  if (faults.length > 0) throw faulty(faults);
  return Object.freeze({
    mode,
    host: env['CUSTODIAN_HOST'] ?? (mode === 'production' ? '0.0.0.0' : '127.0.0.1'),
    ...numbers,
    ...internal,
    custodianDatabaseUrl,
    openings,
    tls,
    custodyKeys,
  });
}

/** For commands that make, list and check backups. */
export function loadBackupEnvironment(env: Environment = process.env): BackupEnvironment {
  const faults: string[] = [];
  const mode = modeOf(env, faults);
  const backup = parseBackupConfig(env, mode, faults);
  const keyring = loadKeyring(env, mode, faults);
  const redis = env['REDIS_URL'] ? redisOf(env, mode, faults) : undefined;
  const internal = internalOf(env, mode, faults);
  if (backup === undefined || keyring === undefined || faults.length > 0) throw faulty(faults);
  return { backup, keyring, redis, ...internal };
}

/** The texts of all secrets that are there, for their own backup; and who can read that of the data. */
export function loadSecretTexts(env: Environment = process.env): {
  readonly secrets: Readonly<Record<string, string>>;
  readonly dataRecipients: readonly string[];
} {
  const mode = modeOf(env, []);
  const texts = SECRET_NAMES.map((name) => [name, readSecret(env, mode, name)] as const);
  const secrets = Object.fromEntries(
    texts.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
  );
  if (secrets['db_encryption_key'] === undefined) throw faulty(['the secret db_encryption_key is missing']);
  return { secrets, dataRecipients: list(env, 'BACKUP_RECIPIENTS') };
}

/** A role that may read everything (pg_read_all_data) is enough to make a backup. */
export function backupDatabaseUrl(env: Environment = process.env): string {
  if (env['BACKUP_DATABASE_URL'] === undefined) return migrationDatabaseUrl(env);
  const faults: string[] = [];
  const url = databaseUrlOf(env, modeOf(env, faults), 'BACKUP_DATABASE_URL', 'db_backup_password', faults);
  if (faults.length > 0) throw faulty(faults);
  return url;
}

/** The owner's connection, which only migrations and role set-up use. */
export function migrationDatabaseUrl(env: Environment = process.env): string {
  const name = env['MIGRATION_DATABASE_URL'] === undefined ? 'DATABASE_URL' : 'MIGRATION_DATABASE_URL';
  const faults: string[] = [];
  const mode = modeOf(env, faults);
  const url = databaseUrlOf(env, mode, name, 'db_owner_password', faults);
  if (faults.length > 0) {
    throw new ConfigurationError(
      `Velum cannot migrate, for which MIGRATION_DATABASE_URL names the role that owns the tables:\n${listed(faults)}`,
    );
  }
  return url;
}

/** Where others may be at work with the same database. */
export function runsInProduction(env: Environment = process.env): boolean {
  return modeOf(env, []) === 'production';
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'velum';
}

function modeOf(env: Environment, faults: string[]): Mode {
  return oneOf(env, 'VELUM_ENV', ['production', 'development', 'test'], faults);
}

function listed(faults: readonly string[]): string {
  return [...new Set(faults)].map((fault) => `  - ${fault}`).join('\n');
}

function faulty(faults: readonly string[]): ConfigurationError {
  return new ConfigurationError(`Velum cannot start:\n${listed(faults)}`);
}

function redisOf(
  env: Environment,
  mode: Mode,
  faults: string[],
): Pick<Config, 'redisUrl' | 'redisCaFile' | 'redisPasswordFile'> {
  const secret = findSecret(env, mode, 'redis_password');
  const redisUrl = withPassword(env, 'REDIS_URL', secret?.text, faults);
  const redisCaFile = redisAuthorityFile(env, mode === 'production', faults);
  // What stands in the URL itself is in no file.
  const redisPasswordFile = hasPassword(env['REDIS_URL']) ? undefined : secret?.path;
  return { redisUrl, redisCaFile, redisPasswordFile };
}

function hasPassword(text: string | undefined): boolean {
  return text !== undefined && URL.canParse(text) && new URL(text).password !== '';
}

function internalOf(
  env: Environment,
  mode: Mode,
  faults: string[],
): Pick<Config, 'metricsHost' | 'metricsPort' | 'logLevel'> {
  return {
    metricsHost: env['METRICS_HOST'] ?? (mode === 'production' ? '0.0.0.0' : '127.0.0.1'),
    metricsPort: metricsPortOf(env, faults),
    logLevel: oneOf(env, 'LOG_LEVEL', ['info', 'error', 'warn', 'debug'], faults),
  };
}

function metricsPortOf(env: Environment, faults: string[]): number | 'off' | undefined {
  const text = env['METRICS_PORT'];
  if (text === undefined) return undefined;
  return text === '' || text === 'off' ? 'off' : whole(env, 'METRICS_PORT', 0, 0, 65_535, faults);
}

function databaseUrlOf(env: Environment, mode: Mode, name: string, secret: string, faults: string[]): string {
  const url = withPasswordFile(env, name, findSecret(env, mode, secret), faults);
  checkDatabaseTransport(env, name, mode === 'production', faults);
  return url;
}

/** The password may stand in the URL (development) or in its own secret (production). */
function withPassword(
  env: Environment,
  name: string,
  password: string | undefined,
  faults: string[],
): string {
  const text = env[name];
  if (!text || !URL.canParse(text)) {
    faults.push(`${name} must be set to a URL`);
    return '';
  }
  const url = new URL(text);
  if (url.password === '' && password !== undefined) {
    url.password = encodeURIComponent(passwordsIn(password)[0] ?? '');
  }
  return url.toString();
}

/** Of a database, with the file as well, which is read for each connection. */
function withPasswordFile(
  env: Environment,
  name: string,
  secret: { readonly path: string; readonly text: string } | undefined,
  faults: string[],
): string {
  const text = withPassword(env, name, secret?.text, faults);
  if (text === '' || secret === undefined || hasPassword(env[name])) return text;
  const url = new URL(text);
  url.searchParams.set(PASSWORD_FILE, secret.path);
  return url.toString();
}
