import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify, promisify } from 'node:util';
import { constants, crc32, createInflateRaw, inflateRaw } from 'node:zlib';
import { type Entry, fromRandomAccessReader, type Options, RandomAccessReader, type ZipFile } from 'yauzl';
import { InputRefused } from '../jobs.errors.js';
import type { FilePointer } from './item-plan.js';
import type { ItemInput, SpooledInput } from './spooled-input.js';

/** Five photographs for each item at the most, or nearly. */
const MOST_ENTRIES = 1_000_000;

/** Photographs hardly shrink: what unpacks to more than this is made to harm. */
const MOST_EXPANSION = 100;
const SMALL = 100 * 2 ** 20;

/** Held in memory with where each file stands: a hundred bytes for each of a million, or nearly. */
const MOST_NAME_BYTES = 128 * 2 ** 20;

const STORED = 0;
const DEFLATED = 8;
const LOCAL_HEADER_BYTES = 30;

const inflate = promisify(inflateRaw);

/**
 * The files of a ZIP by name, from its central directory. Throws InputRefused: damaged, names that leave the folder
 * (APPNOTE.TXT 4.4.17), entries that overlap or unpack to very much (D. Fifield, "A better zip bomb", 2019).
 */
export async function readDirectory(input: SpooledInput): Promise<ReadonlyMap<string, FilePointer>> {
  const files = new Map<string, FilePointer>();
  let unpacked = 0;
  let nameBytes = 0;
  try {
    const zip = await openZip(input);
    if (zip.entryCount > MOST_ENTRIES) throw new InputRefused('too_many_items');
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/')) continue;
      nameBytes += entry.fileNameLength;
      if (nameBytes > MOST_NAME_BYTES) throw new InputRefused('archive_unreadable');
      if (files.has(entry.fileName)) throw new InputRefused('archive_unreadable');
      files.set(entry.fileName, pointerTo(entry));
      unpacked += entry.uncompressedSize;
    }
  } catch (error) {
    throw refusal(error);
  }
  if (unpacked > SMALL && unpacked > input.bytes * MOST_EXPANSION) throw new InputRefused('archive_bomb');
  refuseOverlaps([...files.values()]);
  return files;
}

/** A file's bytes, which the caller overwrites, or undefined if they are not what the directory says: never more than that. */
export async function readFile(
  input: ItemInput,
  file: FilePointer,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const packed = await input.read(await dataOf(input, file), file.compressed).catch((error: unknown) => {
    if (error instanceof RangeError) return undefined;
    throw error;
  });
  if (packed === undefined || !canRead(file)) return undefined;
  const bytes = file.method === STORED ? packed : await inOnePiece(packed, file.size);
  try {
    if (bytes === undefined || bytes.length !== file.size || crc32(bytes) !== file.crc) return undefined;
    return new Uint8Array(bytes);
  } finally {
    packed.fill(0);
    bytes?.fill(0);
  }
}

/** Unpacks: zlib would leave pieces that it joins in memory. */
function inOnePiece(packed: Uint8Array, size: number): Promise<Buffer | undefined> {
  const options = {
    maxOutputLength: Math.max(1, size),
    chunkSize: Math.max(constants.Z_MIN_CHUNK, size + 1),
  };
  return inflate(packed, options).catch(() => undefined);
}

/** As it stands in the archive, for a record of its own; undefined if it is not where the directory says. */
export async function packedFile(
  input: ItemInput,
  file: FilePointer,
): Promise<Buffer<ArrayBuffer> | undefined> {
  const end = (await dataOf(input, file)) + file.compressed;
  return end > input.bytes ? undefined : input.read(file.at, end - file.at);
}

/** What `readFile` answers as a stream, for what may be large; it fails with InputRefused('archive_unreadable'). */
export async function* streamFile(input: SpooledInput, file: FilePointer): AsyncGenerator<Buffer> {
  if (!canRead(file)) throw new InputRefused('archive_unreadable');
  const packed = input.stream(await dataOf(input, file), file.compressed);
  let bytes = 0;
  let crc = 0;
  try {
    for await (const part of file.method === STORED ? packed : inflated(packed)) {
      bytes += part.length;
      if (bytes > file.size) break;
      crc = crc32(part, crc);
      yield part;
    }
  } catch (error) {
    throw error instanceof InputRefused ? error : new InputRefused('archive_unreadable');
  }
  if (bytes !== file.size || crc !== file.crc) throw new InputRefused('archive_unreadable');
}

/** Fails where it is read, and nowhere else: compose() throws the end of a stream that is cut off at the whole process. */
function inflated(packed: AsyncIterable<Buffer>): Readable {
  const inflater = createInflateRaw();
  pipeline(packed, inflater).catch(() => undefined);
  return inflater;
}

function pointerTo(entry: Entry): FilePointer {
  return {
    at: entry.relativeOffsetOfLocalHeader,
    compressed: entry.compressedSize,
    size: entry.uncompressedSize,
    method: entry.isEncrypted() ? -1 : entry.compressionMethod,
    crc: entry.crc32,
  };
}

function canRead({ method }: FilePointer): boolean {
  return method === STORED || method === DEFLATED;
}

async function dataOf(input: ItemInput, { at }: FilePointer): Promise<number> {
  if (at + LOCAL_HEADER_BYTES > input.bytes) throw new InputRefused('archive_unreadable');
  const header = await input.read(at, LOCAL_HEADER_BYTES);
  return at + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
}

function refuseOverlaps(files: FilePointer[]): void {
  let end = 0;
  for (const { at, compressed } of files.sort((a, b) => a.at - b.at)) {
    if (at < end) throw new InputRefused('archive_bomb');
    end = at + LOCAL_HEADER_BYTES + compressed;
  }
}

/** The maintainers of yauzl tell its refusals apart by their sentences alone. */
function refusal(error: unknown): unknown {
  if (error instanceof InputRefused) return error;
  if (error instanceof Error && 'code' in error) return error;
  const unsafe =
    error instanceof Error && /relative path|absolute path|invalid characters/.test(error.message);
  return new InputRefused(unsafe ? 'archive_unsafe' : 'archive_unreadable');
}

class SpoolReader extends RandomAccessReader {
  constructor(private readonly input: SpooledInput) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    readInto(this.input, buffer.subarray(offset, offset + length), position, callback);
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }
}

function openZip(input: SpooledInput): Promise<ZipFile> {
  const options: Options = {
    lazyEntries: true,
    autoClose: false,
    decodeStrings: true,
    strictFileNames: true,
  };
  return new Promise((resolve, reject) => {
    fromRandomAccessReader(new SpoolReader(input), input.bytes, options, (error, zip) => {
      if (error === null) resolve(zip);
      else reject(error);
    });
  });
}

const readInto = callbackify(async (input: SpooledInput, target: Buffer, position: number): Promise<void> => {
  (await input.read(position, target.length)).copy(target);
});
