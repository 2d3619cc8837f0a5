import { quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What must be nowhere, with a name for whoever reads that it is somewhere. */
export interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Of a vector a part is enough to know it by. */
const VALUES = 8;
const LONGEST_NEEDLE = 4_096;

/** A vector in each form in which a program could have left it, and each of these in hexadecimal, as SQL has it. */
export function vectorNeedles(name: string, face: readonly number[]): Needle[] {
  const whole: Readonly<Record<string, Uint8Array>> = {
    float32: bytesOf(Float32Array.from(face)),
    float64: bytesOf(Float64Array.from(face)),
    'template, int16': bytesOf(quantiseTemplate(face)),
    'template, int32': bytesOf(Int32Array.from(quantiseTemplate(face))),
    'probe, int8': bytesOf(quantiseProbe(face)),
  };
  const binary = Object.entries(whole).map(([form, bytes]) => ({
    name: `${name} (${form})`,
    bytes: Buffer.from(bytes.subarray(0, (bytes.length / face.length) * VALUES)),
  }));
  const json = { name: `${name} (JSON)`, bytes: Buffer.from(face.slice(0, 3).join()) };
  return [...binary, ...binary.map(inHexadecimal), json];
}

export function inHexadecimal({ name, bytes }: Needle): Needle {
  return { name: `${name}, hexadecimal`, bytes: Buffer.from(bytes.toString('hex')) };
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The names of those needles that are somewhere in these files, and how many bytes were looked through. */
export async function lookThrough(
  files: readonly string[],
  needles: readonly Needle[],
): Promise<{ readonly found: readonly string[]; readonly bytes: number }> {
  const found = new Set<string>();
  let bytes = 0;
  for (const file of files) {
    // What comes and goes while a server runs.
    const stream = createReadStream(file, { highWaterMark: 2 ** 22 });
    try {
      bytes += await lookThroughStream(stream, needles, (name) => found.add(`${name} in ${file}`));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return { found: [...found], bytes };
}

export async function lookThroughStream(
  stream: AsyncIterable<Buffer>,
  needles: readonly Needle[],
  tell: (name: string) => void,
): Promise<number> {
  let [bytes, tail] = [0, Buffer.alloc(0)];
  for await (const chunk of stream) {
    bytes += chunk.length;
    const part = Buffer.concat([tail, chunk]);
    for (const needle of needles) if (part.includes(needle.bytes)) tell(needle.name);
    tail = part.subarray(-LONGEST_NEEDLE);
  }
  return bytes;
}

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
