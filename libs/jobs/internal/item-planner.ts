import { ListSegments } from '#biometrics/list-segments';
import { SubjectDirectory } from '#consent/subject-directory';
import { asId, type ClientId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ZIP } from '../job.js';
import { InputRefused } from '../jobs.errors.js';
import type { FilePointer, PlannedItem } from './item-plan.js';
import type { JobRow } from './job-store.js';
import { csvRows, type ManifestRow, ndjsonRows } from './manifest.js';
import { digestOf, linesOf } from './ndjson-lines.js';
import type { SpooledInput } from './spooled-input.js';
import { readDirectory, streamFile } from './zip-archive.js';

const ROWS_AT_ONCE = 1_000;

/** Reads an input once, from end to end, and tells where its items stand; or what there is to compare without one. */
@Injectable()
export class ItemPlanner {
  constructor(
    private readonly subjects: SubjectDirectory,
    private readonly queries: QueryBus,
  ) {}

  /** The items in their order, with whom they name where a manifest says it; throws InputRefused if the input as a whole is unusable. */
  plan(job: JobRow, input: SpooledInput | undefined): AsyncGenerator<PlannedItem> {
    if (job.type === 'deduplicate') return this.segmentPairs(job);
    if (input === undefined) throw new InputRefused('input_lost');
    return job.media_type === ZIP ? this.photographs(job, input) : lines(input);
  }

  /** Of the segments that there are now, each with itself and with those after it. */
  private async *segmentPairs({ client_id, gallery_id }: JobRow): AsyncGenerator<PlannedItem> {
    const segments = await this.queries.execute(new ListSegments(client_id, gallery_id));
    for (const [i, left] of segments.entries()) {
      for (const right of segments.slice(i)) yield { pointer: { left, right } };
    }
  }

  private async *photographs(job: JobRow, input: SpooledInput): AsyncGenerator<PlannedItem> {
    const files = await readDirectory(input);
    const named = job.type !== 'identify';
    const seen = new Set<string>();
    let rows: ManifestRow[] = [];
    for await (const row of manifestRows(files, input)) {
      rows.push(row);
      if (rows.length < ROWS_AT_ONCE) continue;
      yield* await this.itemsOf(job.client_id, rows, files, seen, named);
      rows = [];
    }
    yield* await this.itemsOf(job.client_id, rows, files, seen, named);
  }

  private async itemsOf(
    clientId: ClientId,
    rows: readonly ManifestRow[],
    files: ReadonlyMap<string, FilePointer>,
    seen: Set<string>,
    named: boolean,
  ): Promise<PlannedItem[]> {
    const references = rows.flatMap((row) => row?.reference ?? []);
    const known = await this.subjects.find(clientId, [...new Set(references)]);
    return rows.map((row): PlannedItem => {
      if (row === undefined) return { refused: 'item_malformed' };
      const { subjectId: given, reference, consentId } = row;
      if (named ? (given === undefined) === (reference === undefined) : row.files.length !== 1) {
        return { refused: 'item_malformed' };
      }
      const line = digestOf(JSON.stringify([given, reference, row.files]));
      if (seen.has(line)) return { refused: 'duplicate_item' };
      seen.add(line);
      const subjectId = reference === undefined ? given : known.get(reference);
      if (named && subjectId === undefined) return { refused: 'subject_not_found' };
      const found = row.files.flatMap((name) => files.get(name) ?? []);
      if (found.length < row.files.length) return { refused: 'file_missing' };
      return {
        pointer: {
          files: found,
          ...(named && subjectId !== undefined ? { subjectId: asId<'subject'>(subjectId) } : {}),
          ...(named && consentId !== undefined ? { consentId: asId<'consent'>(consentId) } : {}),
        },
        subjectId: subjectId === undefined ? undefined : asId<'subject'>(subjectId),
      };
    });
  }
}

function manifestRows(
  files: ReadonlyMap<string, FilePointer>,
  input: SpooledInput,
): AsyncGenerator<ManifestRow> {
  const csv = files.get('manifest.csv');
  if (csv !== undefined) return csvRows(streamFile(input, csv));
  const ndjson = files.get('manifest.ndjson');
  if (ndjson !== undefined) return ndjsonRows(streamFile(input, ndjson));
  throw new InputRefused('manifest_missing');
}

async function* lines(input: SpooledInput): AsyncGenerator<PlannedItem> {
  const seen = new Set<string>();
  for await (const { at, length, digest, utf8 } of linesOf(input.stream())) {
    // Whatever begins in another encoding goes on in it.
    if (!utf8 && seen.size === 0) throw new InputRefused('input_not_utf8');
    if (seen.has(digest)) yield { refused: 'duplicate_item' };
    else yield utf8 ? { pointer: { at, length } } : { refused: 'item_malformed' };
    seen.add(digest);
  }
}
