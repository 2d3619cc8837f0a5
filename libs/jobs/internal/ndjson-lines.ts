import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { InputRefused } from '../jobs.errors.js';
import type { LinePointer } from './item-plan.js';

/** An embedding of 2,048 numbers takes some 45 KB. */
export const LONGEST_LINE = 131_072;

const NEWLINE = 10;
const RETURN = 13;

export interface Line extends LinePointer {
  readonly digest: string;
  readonly utf8: boolean;
}

/** The lines that are not empty, with where they stand; throws InputRefused of one that is too long. */
export async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let carried: Buffer[] = [];
  let carriedBytes = 0;
  let at = 0;
  for await (const part of input) {
    let from = 0;
    for (let to = part.indexOf(NEWLINE); to !== -1; to = part.indexOf(NEWLINE, from)) {
      const line =
        carriedBytes === 0 ? part.subarray(from, to) : Buffer.concat([...carried, part.subarray(from, to)]);
      const described = describe(line, at);
      if (described !== undefined) yield described;
      at += line.length + 1;
      carried = [];
      carriedBytes = 0;
      from = to + 1;
    }
    carried.push(part.subarray(from));
    carriedBytes += part.length - from;
    if (carriedBytes > LONGEST_LINE) throw new InputRefused('line_too_long');
  }
  const described = describe(Buffer.concat(carried), at);
  if (described !== undefined) yield described;
}

function describe(line: Buffer, at: number): Line | undefined {
  const length = line.at(-1) === RETURN ? line.length - 1 : line.length;
  if (length > LONGEST_LINE) throw new InputRefused('line_too_long');
  if (length === 0) return undefined;
  const text = line.subarray(0, length);
  return { at, length, digest: digestOf(text), utf8: isUtf8(text) };
}

/** What is remembered of a line in its place: half of SHA-256 still makes two alike only if they are. */
export function digestOf(line: string | Buffer): string {
  return createHash('sha256').update(line).digest('base64').slice(0, 22);
}
