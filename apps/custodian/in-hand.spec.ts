import { CustodianUnavailable } from '#custody/custody.errors';
import { expect, test } from 'vitest';
import { InHand } from './in-hand.js';

const MIB = 2 ** 20;

/** A call whose body has so many MiB. */
function callOf<T>(inHand: InHand, mib: number, work: () => Promise<T>): Promise<T> {
  return inHand.call((taking) => {
    taking(mib * MIB);
    return work();
  });
}

test('bodies count until their calls are answered, however long they stand in line', async () => {
  const inHand = new InHand();
  const first = Promise.withResolvers<string>();
  const answered = callOf(inHand, 200, () => first.promise);
  await expect(callOf(inHand, 100, async () => 'too much')).rejects.toThrow(CustodianUnavailable);
  expect(await callOf(inHand, 50, async () => 'a small one')).toBe('a small one');
  first.resolve('done');
  expect(await answered).toBe('done');
  expect(await callOf(inHand, 256, async () => 'all of it')).toBe('all of it');
});

test('what comes in parts counts part by part', async () => {
  const inHand = new InHand();
  await expect(
    inHand.call(async (taking) => {
      taking(200 * MIB);
      await callOf(inHand, 56, async () => 'what is left');
      taking(56 * MIB);
      taking(1);
    }),
  ).rejects.toThrow(CustodianUnavailable);
  expect(await callOf(inHand, 256, async () => 'all of it')).toBe('all of it');
});

test('a call that fails gives its place and its bytes back', async () => {
  const inHand = new InHand();
  for (let nth = 0; nth < 300; nth++) {
    await expect(callOf(inHand, 256, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  }
});

test('so many calls are under way at once and no more', async () => {
  const inHand = new InHand();
  const end = Promise.withResolvers<void>();
  const waiting = Array.from({ length: 256 }, () => inHand.call(() => end.promise));
  await expect(inHand.call(async () => undefined)).rejects.toThrow(CustodianUnavailable);
  end.resolve();
  await Promise.all(waiting);
  await inHand.call(async () => undefined);
});
