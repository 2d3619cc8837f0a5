import fc from 'fast-check';
import { calculateJwkThumbprint, CompactSign, exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import { verifyStatement } from './verifier/verify-statement.mjs';

const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
const publicJwk = await exportJWK(publicKey);
const kid = await calculateJwkThumbprint(publicJwk);
const jwks = {
  keys: [
    { kty: 'RSA', kid, n: 'AQAB', e: 'AQAB' },
    { ...publicJwk, kid },
  ],
};
const header = { alg: 'EdDSA', typ: 'test+jwt', kid };

function signed(payload: object, protectedHeader: { alg: string; [name: string]: unknown } = header) {
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader(protectedHeader)
    .sign(privateKey, { crit: { 'velum-test': true } });
}

test('what was signed is read, whatever it says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (payload) => {
      const said = JSON.parse(JSON.stringify(payload));
      expect(verifyStatement(await signed(said), jwks)).toEqual({ header, payload: said });
    }),
    { numRuns: 50 },
  );
});

test('a statement with any character changed, taken out or added is refused', async () => {
  const jws = await signed({ consent: 'c', state: 'active' });
  const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n'];
  const refuseAt = (at: number, character: string): void => {
    for (const changed of [
      `${jws.slice(0, at)}${character}${jws.slice(at + 1)}`,
      `${jws.slice(0, at)}${jws.slice(at + 1)}`,
      `${jws.slice(0, at + 1)}${character}${jws.slice(at + 1)}`,
    ]) {
      if (changed !== jws) expect(() => verifyStatement(changed, jwks)).toThrow();
    }
  };
  fc.assert(fc.property(fc.nat(jws.length - 1), fc.constantFrom(...alphabet), refuseAt));
  // Of the last one four bits are not used: several characters decode to the same signature.
  for (const character of alphabet) refuseAt(jws.length - 1, character);
});

test('another algorithm, an unknown key, and an extension that is critical are refused', async () => {
  const payload = { a: 1 };
  const [, body, signature] = (await signed(payload)).split('.');
  for (const head of [{ ...header, alg: 'none' }, { ...header, alg: 'RS256' }, { alg: 'EdDSA' }]) {
    const part = Buffer.from(JSON.stringify(head)).toString('base64url');
    expect(() => verifyStatement(`${part}.${body}.${signature}`, jwks)).toThrow();
  }
  const other = await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).publicKey);
  const jws = await signed(payload);
  expect(() => verifyStatement(jws, { keys: [] })).toThrow('not in the key set');
  expect(() => verifyStatement(jws, null)).toThrow('not in the key set');
  expect(() => verifyStatement(jws, { keys: [{ ...other, kid }] })).toThrow('not that of the key');
  const critical = await signed(payload, { ...header, crit: ['velum-test'], 'velum-test': true });
  expect(() => verifyStatement(critical, jwks)).toThrow('extension');
});

test('who wants a type or an issuer gets no other', async () => {
  const jws = await signed({ iss: 'https://velum.example' });
  const wanted = { typ: 'test+jwt', iss: 'https://velum.example' };
  expect(verifyStatement(jws, jwks, wanted).payload).toEqual({ iss: 'https://velum.example' });
  expect(() => verifyStatement(jws, jwks, { ...wanted, typ: 'at+jwt' })).toThrow('another type');
  expect(() => verifyStatement(jws, jwks, { ...wanted, iss: 'https://other' })).toThrow(
    'another installation',
  );
});
