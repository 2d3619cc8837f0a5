import fc from 'fast-check';
import { expect, test } from 'vitest';
import { takePhotos } from './photo-text.js';

const MOST = 1_000;

const photos = fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { minLength: 1, maxLength: 6 });
const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

function base64(photo: Uint8Array, escaped = false): string {
  const text = Buffer.from(photo).toString('base64');
  return escaped ? text.replaceAll('/', String.raw`\/`) : text;
}

test('the photographs of a body are taken out, as Node decodes them, and what is left is the rest of it', () => {
  fc.assert(
    fc.property(photos, blanks, fc.jsonValue(), fc.boolean(), (list, blank, other, escaped) => {
      const texts = list.map((photo) => `"${base64(photo, escaped)}"`).join(`${blank},${blank}`);
      const text = `{"other":${JSON.stringify({ other })},${blank}"photos"${blank}:${blank}[${blank}${texts}${blank}]}`;
      fc.pre(text.split('"photo').length === 2);
      const bytes = Buffer.from(text);
      expect(takePhotos(bytes, MOST)).toEqual(list.map((photo) => new Uint8Array(photo)));
      const wanted: object = JSON.parse(text);
      expect(JSON.parse(bytes.toString())).toEqual({ ...wanted, photos: list.map(() => '') });
      for (const photo of list) {
        if (photo.length > 6) expect(bytes.includes(base64(photo, escaped))).toBe(false);
      }
    }),
  );
});

test('so is a single one, with or without padding', () => {
  for (const text of ['AAEC', 'AAECAw==', 'AAECAw', 'AAECAwQ=', '+/+/']) {
    const bytes = Buffer.from(`{"photo":"${text}","topK":3}`);
    expect(takePhotos(bytes, MOST)).toEqual([new Uint8Array(Buffer.from(text, 'base64'))]);
    expect(JSON.parse(bytes.toString())).toEqual({ photo: '', topK: 3 });
  }
});

test.each([
  '{}',
  '{"photo":""}',
  '{"photos":[]}',
  '{"photo":null}',
  '{"photo":"A"}',
  '{"photo":"AAAAA"}',
  '{"photo":"AAAA==="}',
  '{"photo":"AA=A"}',
  '{"photo":"AA AA"}',
  String.raw`{"photo":"AA\nAA"}`,
  '{"photo":"data:image/png;base64,AAAA"}',
  '{"photo":"AAAA',
  '{"photos":["AAAA"',
  '{"photos":["AAAA",]}',
  '{"photos":["AAAA" "AAAA"]}',
  '{"photos":["AAAA",1]}',
  '{"photos":[["AAAA"]]}',
  '{"photo":"AAAA","photo":"AAAA"}',
  '{"photo":"AAAA","photos":["AAAA"]}',
  '{"other":"photo"}',
  `{"photo":"${'A'.repeat(1_340)}"}`,
])('%s is left as it is, for who says what is wrong with it', (text) => {
  const bytes = Buffer.from(text);
  expect(takePhotos(bytes, MOST)).toBeUndefined();
  expect(bytes.toString()).toBe(text);
});

test('whatever the bytes are, it ends and changes none but photographs', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (before, noise) => {
      const bytes = Buffer.concat([Buffer.from(`${before}"photo":"`), noise]);
      const copy = Buffer.from(bytes);
      if (takePhotos(bytes, MOST) === undefined) expect(bytes.equals(copy)).toBe(true);
      else expect(bytes.length).toBe(copy.length);
    }),
  );
});
