import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lookupLanguage } from './language-lookup.js';

test.each([
  // RFC 4647 section 3.4, the example of the range zh-Hant-CN-x-private1-private2.
  [['zh-Hant-CN-x-private1-private2'], ['zh-Hant-CN-x-private1', 'zh'], 'zh-Hant-CN-x-private1'],
  [['zh-Hant-CN-x-private1-private2'], ['zh-Hant-CN-x', 'zh-Hant-CN', 'zh'], 'zh-Hant-CN'],
  [['zh-Hant-CN'], ['zh', 'zh-Hant'], 'zh-Hant'],
  [['hi-IN'], ['en', 'hi'], 'hi'],
  [['HI-in'], ['hi-IN'], 'hi-IN'],
  [['ta', 'hi-IN', 'en'], ['en', 'hi'], 'hi'],
  // A range finds itself and what is shorter, never what is longer.
  [['en'], ['en-IN'], undefined],
  [['*'], ['en'], undefined],
  [[], ['en'], undefined],
])('of %j among %j it is %s', (ranges, tags, found) => {
  expect(lookupLanguage(ranges, tags)).toBe(found);
});

test('what is found is one of the tags, and begins one of the ranges', () => {
  const subtag = fc.constantFrom('en', 'hi', 'IN', 'Latn', 'x', 'u', 'abc');
  const tag = fc.array(subtag, { minLength: 1, maxLength: 4 }).map((subtags) => subtags.join('-'));
  fc.assert(
    fc.property(fc.array(tag), fc.array(tag), (ranges, tags) => {
      const found = lookupLanguage(ranges, tags);
      if (found === undefined) return;
      expect(tags).toContain(found);
      const begins = (range: string): boolean =>
        `${range}-`.toLowerCase().startsWith(`${found}-`.toLowerCase());
      expect(ranges.some(begins)).toBe(true);
    }),
  );
});
