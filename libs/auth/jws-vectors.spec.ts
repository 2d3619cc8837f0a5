import { JwtService } from '@nestjs/jwt';
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const VECTORS = resolve('../shared/vectors/wycheproof/json_web_signature_test.json');
const missing = !existsSync(VECTORS);

interface Group {
  readonly public?: JsonWebKey & { readonly alg?: string };
  readonly tests: readonly { tcId: number; comment: string; jws: unknown; result: string }[];
}

function accepts(key: JsonWebKey, token: unknown): boolean {
  if (typeof token !== 'string') return false;
  const jwt = new JwtService({ publicKey: createPublicKey({ key, format: 'jwk' }) });
  try {
    // The payloads of the vectors are texts, not claims: what counts is that nothing is thrown.
    jwt.verify(token, { algorithms: ['RS256'], ignoreExpiration: true });
    return true;
  } catch {
    return false;
  }
}

/** Of the library that checks our access tokens, used as AccessTokens uses it: with RS256 alone. */
describe.skipIf(missing)(`Wycheproof's JSON Web Signatures (skipped where ${VECTORS} is missing)`, () => {
  const groups: Group[] = missing ? [] : JSON.parse(readFileSync(VECTORS, 'utf8')).testGroups;
  // Ours is an RS256 signing key: vectors on keys made for something else are not about it.
  const rsa = groups.filter(({ public: key }) => key?.kty === 'RSA' && key.alg === 'RS256');
  test('what is not valid is refused, whatever is wrong with it', () => {
    const invalid = rsa.flatMap(({ public: key, tests }) =>
      tests.filter(({ result }) => result === 'invalid').map((vector) => ({ key, ...vector })),
    );
    expect(invalid.length).toBeGreaterThan(200);
    for (const { key, tcId, comment, jws } of invalid) {
      expect([tcId, comment, key && accepts(key, jws)]).toEqual([tcId, comment, false]);
    }
  });

  test('what is valid is accepted', () => {
    // An access token has claims: the library reads no token without a payload.
    const valid = rsa
      .flatMap(({ public: key, tests }) => tests.map((vector) => ({ key, ...vector })))
      .filter(({ result, comment }) => result === 'valid' && comment !== 'emptyPayload');
    expect(valid.length).toBeGreaterThan(0);
    for (const { key, tcId, jws } of valid) expect([tcId, key && accepts(key, jws)]).toEqual([tcId, true]);
  });
});
