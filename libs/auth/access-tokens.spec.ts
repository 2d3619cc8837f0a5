import { newId } from '#platform/ids';
import { JwtService } from '@nestjs/jwt';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AccessTokens } from './access-tokens.js';
import { Unauthenticated } from './auth.errors.js';
import { SigningKeys } from './signing-keys.js';

const ISSUER = 'https://faces.example';
const AUDIENCE = 'faces';

function rsa(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

const privateKey = rsa();
const publicKey = createPublicKey(privateKey);
const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const config = {
  jwtIssuer: ISSUER,
  jwtAudience: AUDIENCE,
  accessTokenSeconds: 900,
  secrets: { jwtPrivateKeys: [privateKey] },
};
const keys = new SigningKeys(config);
const tokens = new AccessTokens(new JwtService(keys.jwtOptions), keys, config);
const clientId = newId<'client'>();

type Members = Record<string, unknown>;
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const now = (): number => Math.floor(Date.now() / 1000);
const header = (change: Members = {}): Members => ({
  alg: 'RS256',
  typ: 'at+jwt',
  kid: keys.kid,
  ...change,
});
const claims = (change: Members = {}): Members => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: clientId,
  client_id: clientId,
  scope: 'faces:verify',
  jti: newId<'token'>(),
  iat: now(),
  exp: now() + 900,
  ...change,
});

function signed(head: Members, payload: Members, key = privateKey, hash = 'sha256'): string {
  const input = `${encode(head)}.${encode(payload)}`;
  return `${input}.${sign(hash, Buffer.from(input), key).toString('base64url')}`;
}

const refused = (token: string): Promise<void> =>
  expect(tokens.verify(token)).rejects.toBeInstanceOf(Unauthenticated);

test('a token that was issued is accepted, with its scopes', async () => {
  const { token, jti } = await tokens.sign(clientId, ['faces:verify', 'faces:enrol']);
  const accepted = await tokens.verify(token);
  expect(accepted).toMatchObject({ jti, clientId, scopes: ['faces:verify', 'faces:enrol'] });
  expect(accepted.expiresAt.getTime() - accepted.issuedAt.getTime()).toBe(900_000);
});

test('a token made by hand with the right key and claims is accepted, so that the refusals below mean something', async () => {
  await expect(tokens.verify(signed(header(), claims()))).resolves.toMatchObject({ clientId });
});

test("an officer's token is an officer's, and a client's a client's: neither can be dressed up as the other", async () => {
  const [officerId, sessionId] = [newId<'officer'>(), newId<'session'>()];
  const { token } = await tokens.signForOfficer(officerId, sessionId, ['admin:audit'], 600);
  const accepted = await tokens.verify(token);
  expect(accepted).toMatchObject({ officerId, sessionId, scopes: ['admin:audit'] });
  expect(accepted).not.toHaveProperty('clientId');
  expect(accepted.expiresAt.getTime() - accepted.issuedAt.getTime()).toBe(600_000);
  const client = await tokens.verify(signed(header(), claims({ sid: sessionId, officerId })));
  expect(client).not.toHaveProperty('officerId');
  await refused(signed(header(), claims({ client_id: 'velum-officers' })));
  await refused(signed(header(), claims({ sub: officerId, sid: sessionId })));
});

describe('a token is refused', () => {
  test('without a signature (alg none, in any spelling)', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      await refused(`${encode(header({ alg }))}.${encode(claims())}.`);
      await refused(`${encode(header({ alg }))}.${encode(claims())}`);
    }
  });

  test('signed with the public key as an HMAC secret', async () => {
    for (const secret of [publicKeyPem, publicKeyPem.trim(), JSON.stringify(keys.jwks[0])]) {
      const input = `${encode(header({ alg: 'HS256' }))}.${encode(claims())}`;
      await refused(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`);
    }
  });

  test('signed with another hash or padding than RS256, though the key is right', async () => {
    await refused(signed(header({ alg: 'RS384' }), claims(), privateKey, 'sha384'));
    await refused(signed(header({ alg: 'RS512' }), claims(), privateKey, 'sha512'));
    await refused(signed(header({ alg: 'RS384' }), claims()));
    await refused(signed(header({ alg: 'PS256' }), claims()));
  });

  test('signed with another key, which it brings along in its header or not', async () => {
    const other = rsa();
    const jwk = new SigningKeys({ secrets: { jwtPrivateKeys: [other] } }).jwks[0];
    await refused(signed(header(), claims(), other));
    await refused(signed(header({ jwk, kid: jwk?.kid }), claims(), other));
    await refused(signed(header({ jku: 'https://evil.example/jwks.json', kid: jwk?.kid }), claims(), other));
    await refused(signed(header({ x5c: ['MIIB'] }), claims(), other));
  });

  test.each([
    ['of another type', { typ: 'JWT' }],
    ['of no type', { typ: undefined }],
    ['with an unknown key id', { kid: 'other' }],
    ['with no key id', { kid: undefined }],
  ])('%s', async (_what, change) => {
    await refused(signed(header(change), claims()));
  });

  test.each([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['of no issuer', { iss: undefined }],
    ['for another audience', { aud: 'other' }],
    ['for no audience', { aud: undefined }],
    ['that has expired', { exp: now() - 1 }],
    ['that never expires', { exp: undefined }],
    ['that does not count yet', { nbf: now() + 60 }],
    ['without an id', { jti: undefined }],
    ['whose subject is another client', { sub: newId<'client'>() }],
    ['without a client', { client_id: undefined, sub: undefined }],
    ['without scopes', { scope: undefined }],
    ['with scopes in a list', { scope: ['admin:audit'] }],
    ['without a time of issue', { iat: undefined }],
  ])('%s', async (_what, change) => {
    await refused(signed(header(), claims(change)));
  });

  test('after any byte of it has changed', async () => {
    const { token } = await tokens.sign(clientId, ['faces:verify']);
    for (let at = 0; at < token.length; at += 7) {
      const bits = token.charAt(at) === 'A' ? 'B' : 'A';
      // The last character of a part may carry unused bits only: changing those changes nothing that was signed.
      if (token.charAt(at) === '.' || at === token.length - 1) continue;
      await refused(token.slice(0, at) + bits + token.slice(at + 1));
    }
  });

  test.each(['', '.', '..', 'a.b.c', 'e30.e30.e30', `${encode(header())}.${encode([])}.x`, '💥.💥.💥'])(
    'if it is rubbish: %j',
    async (rubbish) => {
      await refused(rubbish);
    },
  );
});

function having(...jwtPrivateKeys: KeyObject[]): AccessTokens {
  const some = { ...config, secrets: { jwtPrivateKeys } };
  const ring = new SigningKeys(some);
  return new AccessTokens(new JwtService(ring.jwtOptions), ring, some);
}

describe('while the key is replaced', () => {
  const fresh = rsa();
  // What deploy.sh rotate jwt does, one after the other: two neighbours serve at the same time.
  const steps = [having(privateKey), having(privateKey, fresh), having(fresh, privateKey), having(fresh)];

  test('processes before and after each step accept one another’s tokens', async () => {
    for (const [i, step] of steps.entries()) {
      const { token } = await step.sign(clientId, ['faces:verify']);
      const neighbours = steps.slice(Math.max(0, i - 1), i + 2).filter((other) => other !== step);
      for (const other of [step, ...neighbours]) {
        // The last step takes away what signed two steps before, once its tokens have expired.
        expect(await other.verify(token)).toMatchObject({ clientId });
      }
    }
  });

  test('a token of the key that is gone is refused, and one that names the wrong one of two', async () => {
    const { token } = await having(privateKey).sign(clientId, ['faces:verify']);
    await expect(having(fresh).verify(token)).rejects.toBeInstanceOf(Unauthenticated);
    const mixed = signed(header(), claims(), fresh);
    await expect(having(fresh, privateKey).verify(mixed)).rejects.toBeInstanceOf(Unauthenticated);
  });
});

test('a scope that does not exist gives nothing', async () => {
  const accepted = await tokens.verify(signed(header(), claims({ scope: 'faces:verify root  constructor' })));
  expect(accepted.scopes).toEqual(['faces:verify']);
});
