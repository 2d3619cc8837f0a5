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

/**
 * The lines that are not empty, with where they stand; throws InputRefused of one that is too long. Takes the parts over and
 * overwrites them: faces are in them.
 */
export async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let carried: Buffer[] = [];
  let carriedBytes = 0;
  let at = 0;
  let part: Buffer = Buffer.alloc(0);
  const take = (to: number): Line | undefined => {
    const end = part.subarray(0, to);
    part = part.subarray(to);
    const line = carriedBytes === 0 ? end : Buffer.concat([...carried, end]);
    try {
      const described = describe(line, at);
      at += line.length + 1;
      return described;
    } finally {
      wipe([...carried, end, line]);
      carried = [];
      carriedBytes = 0;
    }
  };
  try {
    for await (part of input) {
      for (let to = part.indexOf(NEWLINE); to !== -1; to = part.indexOf(NEWLINE)) {
        const line = take(to);
        part[0] = 0;
        part = part.subarray(1);
        if (line !== undefined) yield line;
      }
      carried.push(part);
      carriedBytes += part.length;
      part = part.subarray(part.length);
      if (carriedBytes > LONGEST_LINE) throw new InputRefused('line_too_long');
    }
    const line = take(0);
    if (line !== undefined) yield line;
  } finally {
    wipe([...carried, part]);
  }
}

function wipe(parts: readonly Buffer[]): void {
  for (const part of parts) part.fill(0);
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
