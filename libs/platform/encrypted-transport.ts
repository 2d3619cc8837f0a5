import { accessSync, constants } from 'node:fs';
import type { Environment } from './secrets.js';

/** Of pg's parameters, as libpq has them: what is read anew for each connection, so that a renewed one counts at once. */
const CERTIFICATE_FILES = ['sslrootcert', 'sslcert', 'sslkey'];

/**
 * Refuses a database URL in production whose connection is not encrypted to a server that is verified, unless its host
 * is the one that PLAINTEXT_HOST names; and anywhere one whose certificates cannot be read.
 */
export function checkDatabaseTransport(
  env: Environment,
  name: string,
  production: boolean,
  faults: string[],
): void {
  const url = urlOf(env[name]);
  if (url === undefined) return;
  const parameters = url.searchParams;
  // pg lets `host` in the parameters win.
  const host = parameters.get('host') ?? url.hostname;
  if (production && parameters.get('sslmode') !== 'verify-full' && !isPlaintextHost(env, host)) {
    faults.push(
      `${name} must end in ?sslmode=verify-full&sslrootcert=FILE (or PLAINTEXT_HOST must name its host)`,
    );
  }
  for (const parameter of CERTIFICATE_FILES) {
    const path = parameters.get(parameter);
    if (path !== null && !isReadable(path)) faults.push(`${name}: the file of ${parameter} cannot be read`);
  }
}

/** The same for Redis; answers the file of who signs the server's certificate, or undefined for Node's authorities. */
export function redisAuthorityFile(
  env: Environment,
  production: boolean,
  faults: string[],
): string | undefined {
  const url = urlOf(env['REDIS_URL']);
  if (production && url !== undefined && url.protocol !== 'rediss:' && !isPlaintextHost(env, url.hostname)) {
    faults.push('REDIS_URL must begin with rediss:// (or PLAINTEXT_HOST must name its host)');
  }
  const path = env['REDIS_CA_FILE'];
  if (!path) return undefined;
  if (isReadable(path)) return path;
  faults.push('REDIS_CA_FILE cannot be read');
  return undefined;
}

function isPlaintextHost(env: Environment, host: string): boolean {
  return host !== '' && env['PLAINTEXT_HOST'] === host;
}

function urlOf(text: string | undefined): URL | undefined {
  return text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
