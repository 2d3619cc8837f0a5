import { ConsentGate } from '#consent/consent-gate';
import { paddedDimension } from '#homomorphic/parameters';
import type { ConsentId, GalleryId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BINDING_BYTES } from '../template-binding.js';
import { type StoredRow, TemplateBindings } from '../template-bindings.js';
import type { IndexedTemplate } from './gallery-index.js';
import type { Gallery } from './gallery.entity.js';

/** The sealed rows of a segment that may be compared, and who stands behind each. */
export interface LiveSegment {
  readonly segmentId: SegmentId;
  readonly slots: Uint16Array<ArrayBuffer>;
  /** One after the other, in the order of `slots`. */
  readonly rows: Uint8Array<ArrayBuffer>;
  readonly templates: readonly IndexedTemplate[];
}

interface PackedSegment {
  readonly slots: readonly number[] | null;
  readonly ids: readonly TemplateId[];
  readonly subjects: readonly SubjectId[];
  readonly consents: readonly ConsentId[];
  readonly rows: Buffer;
  /** Zeros where there is none. */
  readonly bindings: Buffer;
}

@Injectable()
export class LiveSegments {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly bindings: TemplateBindings,
  ) {}

  /** The templates whose consent is valid now: whoever names somebody MUST check it again. */
  async read(gallery: Gallery, segmentId: SegmentId): Promise<LiveSegment> {
    const { id: galleryId, dimension } = gallery;
    // One value for all rows: two thousand take several times as long.
    const [packed] = await this.db.query<PackedSegment[]>(
      `SELECT array_agg(slot ORDER BY slot) AS slots, array_agg(id ORDER BY slot) AS ids,
              array_agg(subject_id ORDER BY slot) AS subjects, array_agg(consent_id ORDER BY slot) AS consents,
              string_agg("row", ''::bytea ORDER BY slot) AS rows,
              string_agg(coalesce(binding, decode(repeat('00', $3), 'hex')), ''::bytea ORDER BY slot) AS bindings
       FROM template WHERE gallery_id = $1 AND segment_id = $2`,
      [galleryId, segmentId, BINDING_BYTES],
    );
    const none = { segmentId, slots: new Uint16Array(), rows: new Uint8Array(), templates: [] };
    if (packed === undefined || packed.slots === null) return none;
    const valid = await this.gate.validNow(this.db.manager, [...new Set(packed.consents)]);
    const stored = storedRows(galleryId, segmentId, paddedDimension(dimension) * 4, packed);
    const live = await this.bindings.genuine(
      gallery,
      stored.filter(({ consentId }) => valid.has(consentId)),
    );
    return {
      segmentId,
      slots: Uint16Array.from(live, ({ slot }) => slot),
      rows: new Uint8Array(Buffer.concat(live.map(({ row }) => row))),
      templates: live.map(({ templateId, subjectId, consentId }) => ({ templateId, subjectId, consentId })),
    };
  }
}

function storedRows(
  galleryId: GalleryId,
  segmentId: SegmentId,
  rowBytes: number,
  { slots, ids, subjects, consents, rows, bindings }: PackedSegment,
): StoredRow[] {
  return (slots ?? []).flatMap((slot, n) => {
    const [templateId, subjectId, consentId] = [ids[n], subjects[n], consents[n]];
    if (templateId === undefined || subjectId === undefined || consentId === undefined) return [];
    const row = rows.subarray(n * rowBytes, (n + 1) * rowBytes);
    const binding = bindings.subarray(n * BINDING_BYTES, (n + 1) * BINDING_BYTES);
    const bound = binding.some((byte) => byte !== 0);
    const place = { galleryId, segmentId, slot, templateId, subjectId, consentId };
    return [{ ...place, row, binding: bound ? binding : null }];
  });
}
