import { type BiometricSample, wipeSample } from '#biometrics/biometric-sample';
import { takeEmbedding } from '#biometrics/embedding-text';
import type { EnrolmentEntry } from '#biometrics/enrol-many';
import type { ErasureEntry } from '#biometrics/erase-many';
import type { IdentificationEntry } from '#biometrics/identify-many';
import { SubjectDirectory } from '#consent/subject-directory';
import { LARGEST_IMAGE_BYTES } from '#faces/image-limits';
import { asId, type ClientId, type SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { validate } from 'uuid';
import type { ItemRefusal } from '../jobs.errors.js';
import type { ItemPointer, LinePointer, PhotosPointer } from './item-plan.js';
import type { ItemSource } from './item-source.js';
import type { ItemInput } from './spooled-input.js';
import { readFile } from './zip-archive.js';

export interface WaitingItem {
  readonly n: number;
  readonly attempts: number;
  readonly input: ItemPointer;
}

export interface RefusedItem {
  readonly n: number;
  readonly outcome: 'refused';
  readonly code: ItemRefusal | 'subject_not_found';
}

/** What a line says, each member of the right kind or missing. */
interface Spoken {
  readonly n: number;
  readonly subjectId?: SubjectId;
  readonly reference?: string;
  readonly consentId?: string;
  readonly embedding?: readonly number[] | Float64Array;
}

/** With the reference looked up. */
interface Said {
  readonly n: number;
  readonly subjectId?: SubjectId;
  readonly consentId?: string;
  readonly sample?: BiometricSample;
}

type Read<Entry> = Promise<(Entry | RefusedItem)[]>;

/** From where items stand to what they ask for. Photographs and embeddings are in memory from here on. */
@Injectable()
export class ItemReader {
  constructor(private readonly subjects: SubjectDirectory) {}

  enrolments(clientId: ClientId, input: ItemSource, items: readonly WaitingItem[]): Read<EnrolmentEntry> {
    return this.each(clientId, input, items, ({ n, subjectId, consentId, sample }) =>
      subjectId === undefined || sample === undefined
        ? refused(n, 'item_malformed')
        : {
            n,
            subjectId,
            sample,
            ...(consentId === undefined ? {} : { consentId: asId<'consent'>(consentId) }),
          },
    );
  }

  identifications(
    clientId: ClientId,
    input: ItemSource,
    items: readonly WaitingItem[],
  ): Read<IdentificationEntry> {
    // Who it is said to be is not asked: the file of an enrolment can be sent to identify.
    return this.each(clientId, input, items, probe, false);
  }

  erasures(clientId: ClientId, input: ItemSource, items: readonly WaitingItem[]): Read<ErasureEntry> {
    return this.each(clientId, input, items, ({ n, subjectId }) =>
      subjectId === undefined ? refused(n, 'item_malformed') : { n, subjectId },
    );
  }

  private async each<Entry extends object>(
    clientId: ClientId,
    source: ItemSource,
    items: readonly WaitingItem[],
    entry: (said: Said) => Entry | RefusedItem,
    named = true,
  ): Read<Entry> {
    const read: (Entry | RefusedItem)[] = [];
    const spoken: Spoken[] = [];
    const inputOf = await source.inputs(items.map(({ n }) => n));
    for (const { n, input: pointer } of items) {
      const input = await inputOf(n);
      // Whoever it names was erased, and nobody reads it any more.
      if (input === undefined) read.push(refused(n, 'subject_not_found'));
      else if ('files' in pointer) {
        const photos = await photographs(input, pointer);
        const { subjectId, consentId } = pointer;
        const who = { ...(subjectId && { subjectId }), ...(consentId && { consentId }) };
        read.push(typeof photos === 'string' ? refused(n, photos) : entry({ n, ...who, sample: { photos } }));
      } else if ('at' in pointer) {
        const said = await line(input, n, pointer);
        if (said === undefined) read.push(refused(n, 'item_malformed'));
        else spoken.push(said);
      }
    }
    const known = await this.subjects.find(clientId, [
      ...new Set(named ? spoken.flatMap((each) => each.reference ?? []) : []),
    ]);
    for (const { n, subjectId: given, reference, consentId, embedding } of spoken) {
      const subjectId = reference === undefined ? given : known.get(reference);
      const who = { ...(subjectId && { subjectId }), ...(consentId && { consentId }) };
      const made =
        named && reference !== undefined && (given !== undefined || subjectId === undefined)
          ? refused(n, given === undefined ? 'subject_not_found' : 'item_malformed')
          : entry({ n, ...who, ...(embedding && { sample: { embedding } }) });
      if (embedding !== undefined && !('sample' in made)) wipeSample({ embedding });
      read.push(made);
    }
    return read;
  }
}

function probe({ n, sample }: Said): IdentificationEntry | RefusedItem {
  return sample === undefined ? refused(n, 'item_malformed') : { n, sample };
}

function refused(n: number, code: RefusedItem['code']): RefusedItem {
  return { n, outcome: 'refused', code };
}

async function photographs(
  input: ItemInput,
  { files }: PhotosPointer,
): Promise<Uint8Array<ArrayBuffer>[] | ItemRefusal> {
  if (files.some(({ size, compressed }) => Math.max(size, compressed) > LARGEST_IMAGE_BYTES)) {
    return 'file_too_large';
  }
  const photos: Uint8Array<ArrayBuffer>[] = [];
  for (const file of files) {
    const photo = await readFile(input, file);
    if (photo === undefined) {
      wipeSample({ photos });
      return 'file_unreadable';
    }
    photos.push(photo);
  }
  return photos;
}

/** The embedding is zeroed by whoever asks. */
export async function line(
  input: ItemInput,
  n: number,
  { at, length }: LinePointer,
): Promise<Spoken | undefined> {
  const bytes = await input.read(at, length);
  const taken = takeEmbedding(bytes);
  const said = spokenBy(bytes, n, taken);
  bytes.fill(0);
  if (said === undefined) taken?.fill(0);
  return said;
}

function spokenBy(text: Buffer, n: number, taken: Float64Array | undefined): Spoken | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { subjectId, reference, consentId, embedding, ...unknown }: Record<string, unknown> = { ...value };
  // A misspelt member is not silently ignored.
  if (Object.keys(unknown).length > 0) return undefined;
  if (!isOptionalId(subjectId) || !isOptionalId(consentId)) return undefined;
  if (reference !== undefined && (typeof reference !== 'string' || reference === '')) return undefined;
  if (embedding !== undefined && !isNumbers(embedding)) return undefined;
  return {
    n,
    ...(subjectId === undefined ? {} : { subjectId: asId<'subject'>(subjectId.toLowerCase()) }),
    ...(reference === undefined ? {} : { reference }),
    ...(consentId === undefined ? {} : { consentId: consentId.toLowerCase() }),
    ...(embedding === undefined ? {} : { embedding: taken ?? embedding }),
  };
}

function isOptionalId(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && validate(value));
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'number' && Number.isFinite(each));
}
