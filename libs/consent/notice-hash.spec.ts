import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { noticeHash } from './notice-hash.js';

const notices = fc.record({
  purpose: fc.string(),
  language: fc.string(),
  version: fc.nat(),
  title: fc.string(),
  text: fc.string({ unit: 'grapheme' }),
});

test('anybody who has the notice can compute its hash as the API documents it', () => {
  const notice = { purpose: 'audit', language: 'hi', version: 2, title: 'शीर्षक', text: 'पाठ' };
  const documented = '["velum notice v1","audit","hi",2,"शीर्षक","पाठ"]';
  expect(noticeHash(notice).toString('hex')).toBe(createHash('sha256').update(documented).digest('hex'));
});

test('two notices that differ in anything have different hashes', () => {
  fc.assert(
    fc.property(notices, notices, (one, other) => {
      const same = JSON.stringify(Object.values(one)) === JSON.stringify(Object.values(other));
      expect(noticeHash(one).equals(noticeHash(other))).toBe(same);
    }),
  );
});

test('moving a word from the title to the text changes the hash', () => {
  const notice = { purpose: 'audit', language: 'en', version: 1, title: 'ab', text: 'c' };
  expect(noticeHash(notice).equals(noticeHash({ ...notice, title: 'a', text: 'bc' }))).toBe(false);
});
