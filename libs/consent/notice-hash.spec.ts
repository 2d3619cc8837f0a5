import 'reflect-metadata';
import { NOTICE_ITEMS } from '#policy/consent-rules';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type HashedNotice, noticeHash } from './notice-hash.js';

const notices: fc.Arbitrary<HashedNotice> = fc.record({
  purpose: fc.string(),
  language: fc.string(),
  version: fc.nat(),
  title: fc.string(),
  text: fc.string({ unit: 'grapheme' }),
  items: fc.option(fc.dictionary(fc.constantFrom(...NOTICE_ITEMS), fc.string())),
  jurisdiction: fc.option(fc.string()),
  renewBy: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })),
  previousHash: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }).map((each) => Buffer.from(each))),
});

const notice: HashedNotice = {
  purpose: 'audit',
  language: 'hi',
  version: 2,
  title: 'शीर्षक',
  text: 'पाठ',
  items: { data: 'साँचा', purpose: 'द्वार' },
  jurisdiction: 'XX-TEST',
  renewBy: new Date('2027-01-01T00:00:00Z'),
  previousHash: Buffer.alloc(32, 1),
};

test('anybody who has the notice can compute its hash as the API documents it', () => {
  const documented = `["velum notice v2","audit","hi",2,"शीर्षक","पाठ",[["purpose","द्वार"],["data","साँचा"]],"XX-TEST","2027-01-01T00:00:00.000Z","${'01'.repeat(32)}"]`;
  expect(noticeHash(notice).toString('hex')).toBe(createHash('sha256').update(documented).digest('hex'));
  const short = '["velum notice v2","audit","hi",2,"शीर्षक","पाठ",null,null,null,null]';
  const bare = { ...notice, items: null, jurisdiction: null, renewBy: null, previousHash: null };
  expect(noticeHash(bare).toString('hex')).toBe(createHash('sha256').update(short).digest('hex'));
});

test('two notices that differ in anything have different hashes', () => {
  const changes = Object.keys(notice);
  fc.assert(
    fc.property(notices, notices, fc.constantFrom(...changes), (one, other, member) => {
      const mixed = {
        ...one,
        ...Object.fromEntries(Object.entries(other).filter(([name]) => name === member)),
      };
      expect(noticeHash(one).equals(noticeHash(mixed))).toBe(canonical(one) === canonical(mixed));
    }),
  );
});

test('moving a word from the title to the text, or from one item to another, changes the hash', () => {
  const hashes = [
    { ...notice, title: 'ab', text: 'c' },
    { ...notice, title: 'a', text: 'bc' },
    { ...notice, title: 'a', text: 'bc', items: { purpose: 'x' } },
    { ...notice, title: 'a', text: 'bc', items: { data: 'x' } },
  ].map((each) => noticeHash(each).toString('hex'));
  expect(new Set(hashes).size).toBe(4);
});

function canonical(each: HashedNotice): string {
  const items = each.items && Object.entries(each.items).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ ...each, items });
}
