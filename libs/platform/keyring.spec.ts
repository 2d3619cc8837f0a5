import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Keyring, SealedValueUnreadable } from './keyring.js';

const line = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;

function keyring(text: string): Keyring {
  const parsed = Keyring.parse(text);
  if (parsed === undefined) throw new Error('the keyring was refused');
  return parsed;
}

describe('a value under the keyring', () => {
  const ring = keyring(line('k1'));

  test('comes back as it was, whatever it is and wherever it stands', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (value, context) => {
        expect([...ring.decrypt(ring.encrypt(value, context), context)]).toEqual([...value]);
      }),
    );
  });

  test('cannot be read where it was not written, nor after a bit of it has changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(7), (value, at, bit) => {
        const sealed = ring.encrypt(value, 'subject.reference');
        expect(() => ring.decrypt(sealed, 'custody.pad')).toThrow(SealedValueUnreadable);
        const byte = at % sealed.length;
        sealed[byte] = (sealed[byte] ?? 0) ^ (1 << bit);
        expect(() => ring.decrypt(sealed, 'subject.reference')).toThrow(SealedValueUnreadable);
      }),
    );
  });

  test('cannot be read when a piece of it is missing', () => {
    const sealed = ring.encrypt(Buffer.from('a template'), 'x');
    for (let length = 0; length < sealed.length; length++) {
      expect(() => ring.decrypt(sealed.subarray(0, length), 'x')).toThrow(SealedValueUnreadable);
    }
  });

  test('looks different each time', () => {
    const seals = Array.from({ length: 50 }, () => ring.encrypt(Buffer.from('same'), 'x').toString('hex'));
    expect(new Set(seals).size).toBe(50);
  });
});

describe('when the key is replaced', () => {
  const [old, current] = [line('k1'), line('k2')];

  test('what was written before still opens, and what is written now opens with the new key alone', () => {
    const before = keyring(old).encrypt(Buffer.from('old'), 'x');
    const both = keyring(`${current}\n${old}\n`);
    expect(both.decrypt(before, 'x').toString()).toBe('old');
    expect(
      keyring(current)
        .decrypt(both.encrypt(Buffer.from('new'), 'x'), 'x')
        .toString(),
    ).toBe('new');
  });

  test('what was written before does not open once the old key is gone', () => {
    const before = keyring(old).encrypt(Buffer.from('old'), 'x');
    expect(() => keyring(current).decrypt(before, 'x')).toThrow('not in db_encryption_key');
  });

  test('the thread that opens keys gets the same keyring', () => {
    const both = keyring(`${current}\n${old}`);
    const passed = keyring(both.serialise());
    expect(passed.currentKeyId).toBe('k2');
    expect(passed.decrypt(both.encrypt(Buffer.from('x'), 'y'), 'y').toString()).toBe('x');
  });
});

test.each([
  ['nothing', ''],
  ['a key without an id', randomBytes(32).toString('base64')],
  ['a key that is too short', `k1:${randomBytes(16).toString('base64')}`],
  ['one id twice', `${line('k1')}\n${line('k1')}`],
  ['an id with a space in it', `k 1:${randomBytes(32).toString('base64')}`],
])('a secret that holds %s is no keyring', (_what, text) => {
  expect(Keyring.parse(text)).toBeUndefined();
});

describe('a text that is signed', () => {
  const [old, fresh] = [line('k1'), line('k2')];
  const signature = keyring(old).sign('a manifest', 'backups');

  test('is known again, also after the key was replaced', () => {
    expect(keyring(`${fresh}\n${old}`).isGenuine('a manifest', 'backups', signature)).toBe(true);
  });

  test('is not taken for another, nor for one of another kind, nor from who has other keys', () => {
    expect(keyring(old).isGenuine('another', 'backups', signature)).toBe(false);
    expect(keyring(old).isGenuine('a manifest', 'erasures', signature)).toBe(false);
    expect(keyring(line('k1')).isGenuine('a manifest', 'backups', signature)).toBe(false);
    expect(keyring(old).isGenuine('a manifest', 'backups', { ...signature, mac: '' })).toBe(false);
    expect(() => keyring(fresh).isGenuine('a manifest', 'backups', signature)).toThrow(SealedValueUnreadable);
  });
});
