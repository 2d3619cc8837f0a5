import fc from 'fast-check';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LOGGED_MEMBERS, redact, scrub } from './redaction.js';

const PRIVATE_KEY = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const b64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const words = fc.string({ unit: fc.constantFrom(...'abcdefg ,.;'), maxLength: 20 });

/** Each with what must not be found in the scrubbed text. */
const SECRETS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'an embedding': fc
    .array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 128 })
    .map((values) => JSON.stringify(values)),
  'an image in base64': fc.uint8Array({ minLength: 60, maxLength: 300 }).map(b64),
  'a small image in a data: URL': fc
    .uint8Array({ minLength: 6, maxLength: 30 })
    .map((bytes) => `data:image/png;base64,${b64(bytes)}`),
  'a client secret': fc.uint8Array({ minLength: 32, maxLength: 32 }).map(b64url),
  'an access token': fc
    .tuple(fc.uint8Array({ minLength: 20 }), fc.uint8Array({ minLength: 64 }))
    .map(([payload, signature]) => `eyJhbGciOiJSUzI1NiJ9.${b64url(payload)}.${b64url(signature)}`),
  'an IPv4 address': fc.ipV4(),
  'an IPv6 address': fc
    .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.map((group) => group.toString(16)).join(':')),
  'the password in a URL': fc
    .uint8Array({ minLength: 12, maxLength: 24 })
    .map((password) => `postgres://velum_app:${b64url(password)}@db/velum`),
  'a private key': fc.constant(PRIVATE_KEY),
};

describe.each(Object.entries(SECRETS))('%s', (_name, secrets) => {
  test('in the middle of a message is not logged', () => {
    fc.assert(
      fc.property(words, secrets, words, (before, secret, after) => {
        const shown = scrub(`${before} ${secret} ${after}`);
        expect(shown).not.toContain(secret);
        // Nor any longer piece of it.
        for (let at = 0; at + 24 <= secret.length; at += 8) {
          expect(shown).not.toContain(secret.slice(at, at + 24));
        }
      }),
    );
  });

  test('under any name, at any depth, is not logged', () => {
    const holder = fc.oneof(
      secrets,
      secrets.map((secret) => ({ value: secret })),
      secrets.map((secret) => [[secret]]),
      secrets.map((secret) => new Error(secret)),
      secrets.map((secret) => Buffer.from(secret)),
      secrets.map((secret) => new Map([[secret, secret]])),
    );
    const name = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom(...LOGGED_MEMBERS.slice(2)));
    fc.assert(
      fc.property(secrets, name, holder, (_secret, member, value) => {
        // The URLs, `requestId` and `clientId` are made by us and hold nothing that was sent.
        if (['url', 'internalUrl', 'requestId', 'clientId'].includes(member)) return;
        const text = JSON.stringify(redact({ level: 'info', [member]: value }));
        const secret = typeof value === 'string' ? value : undefined;
        if (secret !== undefined) expect(text).not.toContain(secret.slice(0, 40));
        else expect(redact({ [member]: value })).toEqual({});
      }),
    );
  });
});

test('a typed array, a buffer, a vector of numbers and a cycle are dropped, whatever they are called', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const value of [new Float32Array(128), randomBytes(64), [0.1, 0.2], cycle, { embedding: [1] }, 1n]) {
    for (const member of LOGGED_MEMBERS) expect(redact({ [member]: value })).toEqual({});
  }
});

test('a stack keeps the places and loses the message, which may quote what was sent', () => {
  const error = new Error('the face of Alice\n    at home, 192.0.2.7');
  const { stack } = redact({ stack: error.stack });
  expect(stack).toContain('redaction.spec');
  expect(stack).not.toMatch(/Alice|home|192/);
});

test('what operators read stays readable', () => {
  const entry = {
    level: 'info',
    message: 'carried out',
    route: '/v1/galleries/:galleryId/identify',
    status: 200,
    durationMs: 12.5,
    code: 'consent_required',
    requestId: '019ac5c2-7c1e-7d3a-8a52-0d6d2f6e3b10',
  };
  expect(redact(entry)).toEqual(entry);
  expect(scrub('the template 019ac5c2-7c1e-7d3a-8a52-0d6d2f6e3b10 took 12 ms')).toBe(
    'the template 019ac5c2-7c1e-7d3a-8a52-0d6d2f6e3b10 took 12 ms',
  );
});
