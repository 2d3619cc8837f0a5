import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isGuessable } from './password-rules.js';

const EMAIL = 'meera.nair@example.in';

test.each([
  'short pw',
  'elevenchars',
  'passwordpassword',
  'Password1234!',
  'P@ssw0rd2026!',
  'qwertyuiop123',
  '123456789012',
  'aaaaaaaaaaaa',
  'abababababab',
  'Welcome2Velum!',
  'iloveyou12345',
  'Summer-2026-Admin',
  'meera.nair@example.in',
  'xx meera.nair xx',
  'NairMeera2026',
])('%s is refused', (password) => {
  expect(isGuessable(password, EMAIL)).toBe(true);
});

test.each([
  'correct horse battery staple',
  'violet tram under glass',
  'kR7#mQ2$vXz9',
  'நீல வானம் பெரியது',
  'मेरा घोड़ा उड़ता',
])('%s is taken', (password) => {
  expect(isGuessable(password, EMAIL)).toBe(false);
});

test('what holds the whole address, or is shorter than 12 characters, is never taken', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string({ maxLength: 11 }), (a, b, short) => {
      expect(isGuessable(`${a}${EMAIL}${b}`, EMAIL)).toBe(true);
      if ([...short.normalize('NFKC')].length < 12) expect(isGuessable(short, EMAIL)).toBe(true);
    }),
  );
});
