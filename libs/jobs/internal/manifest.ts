import { MOST_PHOTOS } from '#biometrics/biometric-sample';
import { CsvError, parse } from 'csv-parse';
import { Readable } from 'node:stream';
import { validate } from 'uuid';
import { InputRefused } from '../jobs.errors.js';

/** What a row of a manifest says, or undefined of one that cannot be understood. */
export type ManifestRow =
  | {
      readonly subjectId?: string;
      readonly reference?: string;
      readonly consentId?: string;
      readonly files: readonly string[];
    }
  | undefined;

const COLUMNS = ['subjectId', 'reference', 'consentId', 'file'];
const LONGEST_ROW = 16_384;

/** Rows of a CSV manifest (RFC 4180) whose first line names the columns; several files of a row are parted by `|`. */
export async function* csvRows(bytes: AsyncIterable<Buffer>): AsyncGenerator<ManifestRow> {
  const parser = parse({
    columns: (names: string[]) => {
      if (!names.includes('file') || names.some((name) => !COLUMNS.includes(name))) {
        throw new InputRefused('manifest_malformed');
      }
      return names;
    },
    trim: true,
    max_record_size: LONGEST_ROW,
    skip_empty_lines: true,
    relax_column_count: true,
  });
  try {
    for await (const record of Readable.from(text(bytes)).compose(parser)) {
      const { file = '', ...rest }: Record<string, string> = record;
      const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''));
      yield understood({ ...given, files: file.split('|').filter((name) => name !== '') });
    }
  } catch (error) {
    throw error instanceof CsvError ? new InputRefused('manifest_malformed') : error;
  }
}

/** Rows of an NDJSON manifest: an object a line, with `file` or `files`. */
export async function* ndjsonRows(bytes: AsyncIterable<Buffer>): AsyncGenerator<ManifestRow> {
  let rest = '';
  for await (const part of text(bytes)) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_ROW) throw new InputRefused('manifest_malformed');
    for (const line of lines) if (line.trim() !== '') yield parsed(line);
  }
  if (rest.trim() !== '') yield parsed(rest);
}

function parsed(line: string): ManifestRow {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { file, ...given } = { file: undefined, ...value };
    return understood(file === undefined ? given : { ...given, files: [file] });
  } catch {
    return undefined;
  }
}

function understood(row: object): ManifestRow {
  const { subjectId, reference, consentId, files, ...unknown }: Record<string, unknown> = { ...row };
  if (Object.keys(unknown).length > 0 || !isNames(files)) return undefined;
  if (![subjectId, consentId].every((id) => id === undefined || (typeof id === 'string' && validate(id)))) {
    return undefined;
  }
  if (reference !== undefined && typeof reference !== 'string') return undefined;
  return {
    ...(typeof subjectId === 'string' ? { subjectId: subjectId.toLowerCase() } : {}),
    ...(reference === undefined ? {} : { reference }),
    ...(typeof consentId === 'string' ? { consentId: consentId.toLowerCase() } : {}),
    files,
  };
}

function isNames(files: unknown): files is string[] {
  return (
    Array.isArray(files) &&
    files.length >= 1 &&
    files.length <= MOST_PHOTOS &&
    files.every((name) => typeof name === 'string')
  );
}

/** Another encoding is refused and not guessed: names would be garbled. */
async function* text(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (part?: Buffer): string => {
    try {
      return part === undefined ? decoder.decode() : decoder.decode(part, { stream: true });
    } catch {
      throw new InputRefused('manifest_malformed');
    }
  };
  for await (const part of bytes) yield decode(part);
  yield decode();
}
