import { writeCsv } from '#platform/csv';
import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { exportJson, type SubjectExport } from './export-subject.js';
import type { HeldRow } from './internal/held-data.js';

/** The export for who would rather open tables: a CSV for each section, and the JSON that holds all of it. */
export function exportArchive(exported: SubjectExport): NodeJS.ReadableStream {
  const archive = new ZipFile();
  const { outputStream } = archive;
  // A part that cannot be read ends the answer, which is then no archive.
  archive.on('error', (error: Error) => outputStream.emit('error', error));
  archive.addReadStream(Readable.from(exportJson(exported)), 'export.json');
  for (const { name, rows } of exported.sections) {
    if (rows.length > 0) archive.addBuffer(Buffer.from(csv(rows)), `${name}.csv`);
  }
  archive.end();
  return outputStream;
}

/** What is no plain value is JSON. */
function csv(rows: readonly HeldRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const plain = rows.map((row) => Object.fromEntries(columns.map((column) => [column, cell(row[column])])));
  return writeCsv(columns, plain);
}

function cell(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
