// Checks a statement that a Velum installation signed: a consent receipt, a proof of erasure. For whoever holds one, offline:
// this one file, Node 20 or newer, nothing else.
//
//   node verify-statement.mjs FILE --keys JWKS-FILE [--typ TYPE] [--iss ISSUER]
//
// FILE holds the statement (- for standard input); JWKS-FILE what https://INSTALLATION/.well-known/jwks.json answered. RFC 7515
// (compact JWS), RFC 8037 (Ed25519), RFC 7638 (kid).
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @typedef {Record<string, unknown>} Json */
/** @typedef {{ header: Json, payload: Json }} Statement */
/** @typedef {{ typ?: string | undefined, iss?: string | undefined }} Wanted */

/** What is signed; throws if it is not genuine. @param {string} jws @param {unknown} jwks @param {Wanted} [wanted] @returns {Statement} */
export function verifyStatement(jws, jwks, wanted = {}) {
  const parts = jws.split('.');
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3) throw new Error('that is no statement: it has no three parts');
  const header = object(head);
  // RFC 8725 section 3.1: the algorithm is ours to say, and not the statement's.
  if (header['alg'] !== 'EdDSA') throw new Error('it is not signed with EdDSA');
  // RFC 7515 section 4.1.11: whoever does not know an extension that is critical must refuse.
  if ('crit' in header) throw new Error('it asks for an extension that is not known here');
  const key = keyOf(header['kid'], jwks);
  if (!verify(null, Buffer.from(`${head}.${body}`), key, bytes(signature)))
    throw new Error(
      'the signature is not genuine: the statement was changed, or is not of this installation',
    );
  const payload = object(body);
  if (wanted.typ !== undefined && header['typ'] !== wanted.typ)
    throw new Error('it is a statement of another type');
  if (wanted.iss !== undefined && payload['iss'] !== wanted.iss)
    throw new Error('another installation says so');
  return { header, payload };
}

/** @param {unknown} kid @param {unknown} jwks */
function keyOf(kid, jwks) {
  const keys = isObject(jwks) && Array.isArray(jwks['keys']) ? jwks['keys'].filter(isObject) : [];
  for (const jwk of keys) {
    const { kty, crv, x } = jwk;
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || jwk['kid'] !== kid) continue;
    const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
    if (thumbprint !== kid) throw new Error('the kid in the key set is not that of the key');
    return createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
  }
  throw new Error('its key is not in the key set');
}

/** Several texts decode to the same bytes; only one of them is what was written. @param {string} text */
function bytes(text) {
  const decoded = Buffer.from(text, 'base64url');
  if (decoded.toString('base64url') !== text) throw new Error('a part is not base64url');
  return decoded;
}

/** @param {string} text @returns {Json} */
function object(text) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes(text)));
  } catch {
    throw new Error('a part is not JSON');
  }
  if (!isObject(value)) throw new Error('a part is no object');
  return value;
}

/** @param {unknown} value @returns {value is Json} */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// --- The command ----------------------------------------------------------------------------------------------------

/** @param {readonly string[]} args @returns {number} The exit code: 0 if the statement is genuine. */
export function main(args) {
  /** @type {Record<string, string | undefined>} */
  const given = { '': undefined, '--keys': undefined, '--typ': undefined, '--iss': undefined };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const option = arg.startsWith('--') ? arg : '';
    const value = option === '' ? arg : args[++i];
    if (!(option in given) || given[option] !== undefined || value === undefined) return usage();
    given[option] = value;
  }
  const { '': file, '--keys': keys, '--typ': typ, '--iss': iss } = given;
  if (file === undefined || keys === undefined) return usage();
  try {
    const jws = readFileSync(file === '-' ? 0 : file, 'utf8').trim();
    const { header, payload } = verifyStatement(jws, JSON.parse(readFileSync(keys, 'utf8')), { typ, iss });
    process.stdout.write(`${JSON.stringify(payload, null, 2)}\n`);
    process.stdout.write(`genuine: ${String(header['typ'])}, signed with ${String(header['kid'])}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`NOT genuine: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function usage() {
  process.stderr.write('node verify-statement.mjs FILE --keys JWKS-FILE [--typ TYPE] [--iss ISSUER]\n');
  return 2;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
