import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CopyReader, type Field } from './copy-reader.js';

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);

/** What PostgreSQL writes for these rows. */
function copied(rows: readonly (readonly (Uint8Array | null)[])[]): Buffer {
  const parts: Uint8Array[] = [HEADER];
  for (const row of rows) {
    const count = Buffer.alloc(2);
    count.writeInt16BE(row.length);
    parts.push(count);
    for (const field of row) {
      const length = Buffer.alloc(4);
      length.writeInt32BE(field === null ? -1 : field.length);
      parts.push(length, field ?? new Uint8Array(0));
    }
  }
  return Buffer.concat([...parts, TRAILER]);
}

function read(bytes: Buffer, cuts: readonly number[]): (string | undefined)[][] {
  const rows: (string | undefined)[][] = [];
  const reader = new CopyReader((fields: readonly Field[]) =>
    rows.push(fields.map((field) => field?.toString('hex'))),
  );
  let at = 0;
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    reader.push(bytes.subarray(at, cut));
    at = cut;
  }
  reader.end();
  return rows;
}

describe('what COPY writes', () => {
  test('is read row for row, however it was cut on the way', () => {
    const field = fc.option(fc.uint8Array({ maxLength: 40 }));
    const rows = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 10 });
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(rows, cuts, (given, at) => {
        const expected = given.map((row) =>
          row.map((each) => (each === null ? undefined : Buffer.from(each).toString('hex'))),
        );
        expect(read(copied(given), at)).toEqual(expected);
      }),
    );
  });

  test.each([
    ['cut off in a row', copied([[Buffer.from('abc')]]).subarray(0, -4)],
    ['without its end', copied([[Buffer.from('abc')]]).subarray(0, -2)],
    ['with something behind its end', Buffer.concat([copied([]), Buffer.from('x')])],
    ['with another signature', Buffer.concat([Buffer.from('PGDUMP'), copied([])])],
    ['empty', Buffer.alloc(0)],
  ])('%s is refused', (_, bytes) => {
    expect(() => read(bytes, [])).toThrow(RangeError);
  });
});
