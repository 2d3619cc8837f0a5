import { SubjectDirectory } from '#consent/subject-directory';
import { LARGEST_IMAGE_BYTES } from '#faces/image-limits';
import type { SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { MOST_INPUT_BYTES } from '../job.js';
import { InputRefused } from '../jobs.errors.js';
import type {
  FilePointer,
  LinePointer,
  PhotosPointer,
  PlannedItem,
  RefusedPlan,
  SealedItem,
} from './item-plan.js';
import { line } from './item-reader.js';
import type { JobRow } from './job-store.js';
import type { RecordWriter } from './record-file.js';
import type { ItemInput } from './spooled-input.js';
import { packedFile } from './zip-archive.js';

const ITEMS_AT_ONCE = 1_000;

/** A line that was sealed and whose reference is still to be looked up. */
interface Referring {
  readonly sealed: SealedItem;
  readonly reference: string;
}

/**
 * Copies each item out of the upload into a record of its own, and finds out whom it names, so that who is erased is
 * unreadable from then on and the others are not. What cannot become an item is not copied.
 */
@Injectable()
export class ItemSealer {
  constructor(private readonly subjects: SubjectDirectory) {}

  async *seal(
    job: JobRow,
    input: ItemInput,
    planned: AsyncIterable<PlannedItem>,
    records: RecordWriter,
  ): AsyncGenerator<SealedItem> {
    let items: (SealedItem | Referring)[] = [];
    for await (const item of planned) {
      items.push(await this.sealOne(job, input, item, records));
      // Photographs that many rows name are copied for each.
      if (records.bytes > 2 * MOST_INPUT_BYTES) throw new InputRefused('archive_bomb');
      if (items.length < ITEMS_AT_ONCE) continue;
      yield* await this.named(job, items);
      items = [];
    }
    yield* await this.named(job, items);
  }

  private async sealOne(
    job: JobRow,
    input: ItemInput,
    item: PlannedItem,
    records: RecordWriter,
  ): Promise<SealedItem | Referring> {
    if ('refused' in item) return item;
    const { pointer, subjectId } = item;
    if ('files' in pointer) return photographs(input, pointer, subjectId, records);
    return 'at' in pointer ? this.lineOf(job, input, pointer, records) : { pointer };
  }

  private async lineOf(
    job: JobRow,
    input: ItemInput,
    pointer: LinePointer,
    records: RecordWriter,
  ): Promise<SealedItem | Referring> {
    const said = await line(input, 0, pointer);
    if (said === undefined) return { refused: 'item_malformed' };
    const { subjectId, reference, embedding } = said;
    if (embedding instanceof Float64Array) embedding.fill(0);
    if (namesSomebody(job) && (subjectId === undefined) === (reference === undefined))
      return { refused: 'item_malformed' };
    const bytes = await input.read(pointer.at, pointer.length);
    const record = await records.add(bytes);
    bytes.fill(0);
    const sealed = { pointer: { at: 0, length: pointer.length }, record, subjectId };
    return subjectId === undefined && reference !== undefined ? { sealed, reference } : sealed;
  }

  private async named(
    job: JobRow,
    items: readonly (SealedItem | Referring)[],
  ): Promise<readonly SealedItem[]> {
    const references = items.flatMap((item) => ('reference' in item ? item.reference : []));
    const known = await this.subjects.find(job.client_id, [...new Set(references)]);
    return items.map((item) => {
      if (!('reference' in item)) return item;
      const subjectId = known.get(item.reference);
      if (subjectId === undefined && namesSomebody(job)) return { refused: 'subject_not_found' };
      return { ...item.sealed, subjectId };
    });
  }
}

/** To identify, whom an item names is not asked. */
function namesSomebody({ type }: JobRow): boolean {
  return type !== 'identify';
}

async function photographs(
  input: ItemInput,
  { files, ...whose }: PhotosPointer,
  subjectId: SubjectId | undefined,
  records: RecordWriter,
): Promise<SealedItem | RefusedPlan> {
  if (files.some(({ size, compressed }) => Math.max(size, compressed) > LARGEST_IMAGE_BYTES))
    return { refused: 'file_too_large' };
  const parts: Buffer[] = [];
  const places: FilePointer[] = [];
  let at = 0;
  for (const file of files) {
    const packed = await packedFile(input, file);
    if (packed === undefined) return { refused: 'file_unreadable' };
    places.push({ ...file, at });
    parts.push(packed);
    at += packed.length;
  }
  const whole = Buffer.concat(parts);
  const record = await records.add(whole);
  for (const part of [whole, ...parts]) part.fill(0);
  return { pointer: { files: places, ...whose }, record, subjectId };
}
