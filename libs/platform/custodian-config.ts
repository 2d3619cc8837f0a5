import { accessSync, constants, readFileSync } from 'node:fs';
import { whole } from './environment-values.js';
import type { Environment } from './secrets.js';

/** Paths of PEM files of the internal authority; read anew when they change, so that certificates can be renewed. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Where the custodian is, for who asks it. */
export interface CustodianClientConfig {
  readonly url: URL;
  readonly tls: TlsFiles;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** So many calls may wait for an answer; one more is refused at once. */
  readonly mostCalls: number;
}

export function parseCustodianClient(env: Environment, faults: string[]): CustodianClientConfig | undefined {
  const text = env['CUSTODIAN_URL'];
  if (!text) return undefined;
  if (env['CUSTODIAN_DATABASE_URL']) {
    faults.push('CUSTODIAN_DATABASE_URL must not be set where CUSTODIAN_URL is: keys are in one process');
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.pathname !== '/') {
    faults.push('CUSTODIAN_URL must be a URL such as https://custodian:7443');
  }
  const tls = parseTlsFiles(env, faults);
  const timeoutMs = whole(env, 'CUSTODIAN_TIMEOUT_MS', 15_000, 50, 600_000, faults);
  const mostCalls = whole(env, 'CUSTODIAN_MOST_CALLS', 64, 1, 10_000, faults);
  return url && Object.freeze({ url, tls, timeoutMs, mostCalls });
}

export function parseTlsFiles(env: Environment, faults: string[]): TlsFiles {
  const path = (name: string): string => {
    const value = env[name] ?? '';
    if (!isReadable(value)) faults.push(`${name} must be set to a PEM file that can be read`);
    return value;
  };
  return Object.freeze({
    ca: path('CUSTODIAN_TLS_CA_FILE'),
    cert: path('CUSTODIAN_TLS_CERT_FILE'),
    key: path('CUSTODIAN_TLS_KEY_FILE'),
  });
}

/** For node:tls. */
export function readTlsFiles({ ca, cert, key }: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
