import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf, type Line, linesOf, LONGEST_LINE } from './ndjson-lines.js';

const text = fc.array(fc.constantFrom('{"a":1}', 'é', '\n', '\r\n', '\n\n', 'x'.repeat(70)), {
  maxLength: 60,
});

async function linesIn(parts: readonly Buffer[]): Promise<Line[]> {
  async function* given(): AsyncGenerator<Buffer> {
    yield* parts;
  }
  const found: Line[] = [];
  for await (const line of linesOf(given())) found.push(line);
  return found;
}

/** The text in parts that are cut anywhere. */
function partsOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, i) => Buffer.from(bytes.subarray(ends[i - 1] ?? 0, end)));
}

test('however an input is cut, its lines are found where they stand, and nothing of it is left in the parts', async () => {
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(text, cuts, async (pieces, where) => {
      const bytes = Buffer.from(pieces.join(''));
      const parts = partsOf(bytes, where);
      const found = await linesIn(parts);
      const wanted = bytes
        .toString('latin1')
        .split('\n')
        .map((line) => line.replace(/\r$/, ''))
        .filter((line) => line !== '');
      const standing = found.map(({ at, length }) => bytes.subarray(at, at + length).toString('latin1'));
      expect(standing).toEqual(wanted);
      expect(found.map(({ digest }) => digest)).toEqual(
        wanted.map((line) => digestOf(Buffer.from(line, 'latin1'))),
      );
      for (const part of parts) expect(part.every((byte) => byte === 0)).toBe(true);
    }),
  );
});

test('nor of one that is refused', async () => {
  const parts = [Buffer.from('{"a":1}\n{"b":'), Buffer.alloc(LONGEST_LINE + 1, 'x'), Buffer.from('}\n')];
  await expect(linesIn(parts)).rejects.toThrow();
  for (const part of parts.slice(0, 2)) expect(part.every((byte) => byte === 0)).toBe(true);
});
