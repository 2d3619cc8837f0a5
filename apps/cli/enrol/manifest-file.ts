import { parse } from 'csv-parse/sync';
import { readFileSync } from 'node:fs';
import { CannotEnrol } from './cannot-enrol.js';
import type { Person } from './person.js';

const COLUMNS = ['subjectId', 'reference', 'consentId', 'file'];

/** A manifest as the API takes it (docs at POST /v1/galleries/{id}/jobs). What a row lacks, the server refuses. */
export function readManifest(path: string): Person[] {
  let text: string;
  let records: Record<string, string>[];
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    records = parse(text, {
      columns: (names: string[]) => expectColumns(names),
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
    });
  } catch (error) {
    if (error instanceof CannotEnrol) throw error;
    throw new CannotEnrol(`${path} cannot be read: it must be CSV in UTF-8.`);
  }
  return records.map(({ subjectId, reference, consentId, file = '' }) => ({
    ...(subjectId ? { subjectId } : {}),
    ...(reference ? { reference } : {}),
    ...(consentId ? { consentId } : {}),
    files: file.split('|').filter((name) => name !== ''),
  }));
}

/** The manifest of the upload, in which each photograph has the name that the archive gives it. */
export function writeManifest(people: readonly Person[], archived: (file: string) => string): string {
  const rows = people.map(({ subjectId, reference, consentId, files }) => [
    subjectId,
    reference,
    consentId,
    files.map(archived).join('|'),
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.map((field) => quoted(field ?? '')).join(',')}\n`).join('');
}

/** RFC 4180 section 2. */
function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}

function expectColumns(names: string[]): string[] {
  if (names.includes('file') && names.every((name) => COLUMNS.includes(name))) return names;
  throw new CannotEnrol(
    'The first line of manifest.csv must name its columns: file, subjectId or reference, and if you like consentId.',
  );
}
