import fc from 'fast-check';
import { expect, test } from 'vitest';
import { takeEmbedding } from './embedding-text.js';

/** Numbers as clients write them, and as JSON lets them be written. */
const written = fc.oneof(
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e20, max: 1e20 })
    .map((value) => JSON.stringify(value)),
  fc.float({ noNaN: true, noDefaultInfinity: true, min: -1, max: 1 }).map((value) => JSON.stringify(value)),
  fc.double({ noNaN: true, min: -1, max: 1 }).map((value) => value.toExponential()),
  fc.double({ noNaN: true, min: -1, max: 1 }).map((value) => value.toFixed(20)),
  fc.integer().map(String),
  fc.constantFrom('-0', '0.0', '1E+2', '12345678901234567890'),
);
const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

/** A double has 52 bits behind the first: two units in the last place, of a text that may have a rounded one itself. */
const NEAR = 4 * 2 ** -52;

test('the numbers of a body are taken out, and what is left is the rest of it', () => {
  fc.assert(
    fc.property(
      fc.array(written, { minLength: 1, maxLength: 40 }),
      blanks,
      fc.jsonValue(),
      (numbers, blank, other) => {
        const list = numbers.join(`${blank},${blank}`);
        const text = `{"other":${JSON.stringify({ other })},${blank}"embedding"${blank}:${blank}[${blank}${list}${blank}]}`;
        fc.pre(text.split('"embedding"').length === 2);
        const bytes = Buffer.from(text);
        const taken = takeEmbedding(bytes);
        const wanted: { other: unknown; embedding: number[] } = JSON.parse(text);
        if (taken === undefined) {
          // Numbers so small that they are left to JSON.parse.
          expect(wanted.embedding.some((value) => value !== 0 && Math.abs(value) < 1e-20)).toBe(true);
          expect(bytes.toString()).toBe(text);
          return;
        }
        expect(taken).toHaveLength(wanted.embedding.length);
        taken.forEach((value, i) => {
          const exact = wanted.embedding[i] ?? 0;
          expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.abs(exact) * NEAR);
        });
        expect(JSON.parse(bytes.toString())).toEqual({ ...wanted, embedding: [] });
      },
    ),
  );
});

test.each([
  '{}',
  '{"embedding":[]}',
  '{"embedding":[1,]}',
  '{"embedding":[1 2]}',
  '{"embedding":[01]}',
  '{"embedding":[.5]}',
  '{"embedding":[1.]}',
  '{"embedding":[+1]}',
  '{"embedding":[1e]}',
  '{"embedding":[1e400]}',
  '{"embedding":["1"]}',
  '{"embedding":[null]}',
  '{"embedding":[NaN]}',
  '{"embedding":[[1]]}',
  '{"embedding":[1',
  '{"embedding":1}',
  '{"photo":"embedding"}',
  '{"photo":"\\"embedding\\":[1]"}',
  '{"embedding":[1],"embedding":[2]}',
  `{"embedding":[${'1,'.repeat(3_000)}1]}`,
])('%s is left as it is, for who says what is wrong with it', (text) => {
  const bytes = Buffer.from(text);
  expect(takeEmbedding(bytes)).toBeUndefined();
  expect(bytes.toString()).toBe(text);
});

test('whatever the bytes are, it ends and changes none but a list of numbers', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (before, noise) => {
      const bytes = Buffer.concat([Buffer.from(`${before}"embedding":[`), noise]);
      const copy = Buffer.from(bytes);
      if (takeEmbedding(bytes) === undefined) expect(bytes.equals(copy)).toBe(true);
      else expect(bytes.length).toBe(copy.length);
    }),
  );
});
