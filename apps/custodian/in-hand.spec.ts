import { CustodianUnavailable } from '#custody/custody.errors';
import { expect, test } from 'vitest';
import { InHand } from './in-hand.js';

const MIB = 2 ** 20;

test('bodies count until their calls are answered, however long they stand in line', async () => {
  const inHand = new InHand();
  const first = Promise.withResolvers<string>();
  const answered = inHand.call(200 * MIB, () => first.promise);
  await expect(inHand.call(100 * MIB, async () => 'too much')).rejects.toThrow(CustodianUnavailable);
  expect(await inHand.call(50 * MIB, async () => 'a small one')).toBe('a small one');
  first.resolve('done');
  expect(await answered).toBe('done');
  expect(await inHand.call(256 * MIB, async () => 'all of it')).toBe('all of it');
});

test('a call that fails gives its place and its bytes back', async () => {
  const inHand = new InHand();
  for (let nth = 0; nth < 300; nth++) {
    await expect(inHand.call(256 * MIB, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  }
});

test('so many calls are under way at once and no more', async () => {
  const inHand = new InHand();
  const end = Promise.withResolvers<void>();
  const waiting = Array.from({ length: 256 }, () => inHand.call(0, () => end.promise));
  await expect(inHand.call(0, async () => undefined)).rejects.toThrow(CustodianUnavailable);
  end.resolve();
  await Promise.all(waiting);
  await inHand.call(0, async () => undefined);
});
