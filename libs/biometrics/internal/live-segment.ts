import { ConsentGate } from '#consent/consent-gate';
import { paddedDimension } from '#homomorphic/parameters';
import type { ConsentId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
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
}

@Injectable()
export class LiveSegments {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
  ) {}

  /** The templates whose consent is valid now: whoever names somebody MUST check it again. */
  async read({ id: galleryId, dimension }: Gallery, segmentId: SegmentId): Promise<LiveSegment> {
    // One value for all rows: two thousand take several times as long.
    const [packed] = await this.db.query<PackedSegment[]>(
      `SELECT array_agg(slot ORDER BY slot) AS slots, array_agg(id ORDER BY slot) AS ids,
              array_agg(subject_id ORDER BY slot) AS subjects, array_agg(consent_id ORDER BY slot) AS consents,
              string_agg("row", ''::bytea ORDER BY slot) AS rows
       FROM template WHERE gallery_id = $1 AND segment_id = $2`,
      [galleryId, segmentId],
    );
    const none = { segmentId, slots: new Uint16Array(), rows: new Uint8Array(), templates: [] };
    if (packed === undefined || packed.slots === null) return none;
    const { slots, ids, subjects, consents, rows } = packed;
    const valid = await this.gate.validNow(this.db.manager, [...new Set(consents)]);
    const rowBytes = paddedDimension(dimension) * 4;
    const live: number[] = [];
    const templates: IndexedTemplate[] = [];
    slots.forEach((_, n) => {
      const [templateId, subjectId, consentId] = [ids[n], subjects[n], consents[n]];
      if (templateId === undefined || subjectId === undefined || consentId === undefined) return;
      if (!valid.has(consentId)) return;
      live.push(n);
      templates.push({ templateId, subjectId, consentId });
    });
    const kept = new Uint8Array(live.length * rowBytes);
    live.forEach((n, i) => kept.set(rows.subarray(n * rowBytes, (n + 1) * rowBytes), i * rowBytes));
    return { segmentId, slots: Uint16Array.from(live, (n) => slots[n] ?? 0), rows: kept, templates };
  }
}
