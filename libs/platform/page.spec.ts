import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { newId } from './ids.js';
import { Cursors } from './page.js';
import { InvalidCursor } from './platform.errors.js';

const cursors = new Cursors(randomBytes(32));
const rows = Array.from({ length: 7 }, () => ({ id: newId() }));

test('a cursor leads on from the last row of its page', () => {
  const page = cursors.page('subjects', { limit: 3 }, rows.slice(0, 4), ({ id }) => id);
  expect(page.items).toEqual(rows.slice(0, 3).map(({ id }) => id));
  expect(cursors.decode('subjects', page.nextCursor ?? '')).toBe(rows[2]?.id);
});

test('the last page has no cursor', () => {
  expect(cursors.page('subjects', { limit: 7 }, rows, ({ id }) => id).nextCursor).toBeNull();
  expect(cursors.page('subjects', { limit: 7 }, [], ({ id }) => id)).toEqual({ items: [], nextCursor: null });
});

test('a cursor of another list or another installation, or one that was changed or made up, is refused', () => {
  const cursor = cursors.encode('subjects', newId());
  expect(() => cursors.decode('galleries', cursor)).toThrow(InvalidCursor);
  expect(() => new Cursors(randomBytes(32)).decode('subjects', cursor)).toThrow(InvalidCursor);
  fc.assert(
    fc.property(fc.nat(51), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Buffer.from(cursor, 'base64url');
      bytes[at] = (bytes[at] ?? 0) ^ change;
      expect(() => cursors.decode('subjects', bytes.toString('base64url'))).toThrow(InvalidCursor);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (made) => {
      expect(() => cursors.decode('subjects', made)).toThrow(InvalidCursor);
    }),
  );
});
