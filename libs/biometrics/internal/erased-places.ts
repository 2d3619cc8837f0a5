import { KeyCustodian } from '#custody/key-custodian';
import type { GalleryId, SegmentId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** Where a template stood that is erased. */
export interface ErasedPlace {
  readonly gallery_id: GalleryId;
  readonly segment_id: SegmentId;
  readonly slot: number;
}

/** What was looked for after an erasure, before it committed. */
export interface ErasureCheck {
  /** Of the person in the database: each count is 0, or the erasure did not happen. */
  readonly rows: { readonly templates: 0; readonly references: 0; readonly openConsents: 0 };
  /** `usable`: slots whose pad could be given to another template; 0. */
  readonly pads: { readonly slots: number; readonly usable: 0 };
  /** The version of each gallery that tells every matcher to drop the row, which it reads before its next search. */
  readonly caches: readonly { readonly galleryId: GalleryId; readonly version: string }[];
}

/** Looks for what an erasure left behind; throws if it is anything, so that nothing is called erased that is not. */
@Injectable()
export class ErasedPlaces {
  constructor(private readonly custodian: KeyCustodian) {}

  /** Of these places those that may be given again. A count only ever grows: what is true before the erasure is after it. */
  countUsable(places: readonly ErasedPlace[]): Promise<number> {
    return this.custodian.countUsable(places.map(({ segment_id: segmentId, slot }) => ({ segmentId, slot })));
  }

  async check(
    tx: EntityManager,
    subjectId: SubjectId,
    places: readonly ErasedPlace[],
    usable: number,
  ): Promise<ErasureCheck> {
    const [left] = await tx.query<{ templates: number; references: number; consents: number }[]>(
      `SELECT (SELECT count(*)::int FROM template WHERE subject_id = $1) AS templates,
              (SELECT count(*)::int FROM subject WHERE id = $1
                 AND (reference IS NOT NULL OR reference_index IS NOT NULL OR erased_at IS NULL)) AS "references",
              (SELECT count(*)::int FROM consent WHERE subject_id = $1 AND ended_at IS NULL) AS consents`,
      [subjectId],
    );
    const removals = await tx.query<{ gallery_id: GalleryId; version: string; removed: number }[]>(
      `SELECT r.gallery_id, max(r.version) AS version, count(*)::int AS removed
       FROM template_removal r JOIN unnest($1::uuid[], $2::int[]) AS place (segment_id, slot)
         ON place.segment_id = r.segment_id AND place.slot = r.slot
       GROUP BY r.gallery_id ORDER BY r.gallery_id`,
      [places.map(({ segment_id }) => segment_id), places.map(({ slot }) => slot)],
    );
    const told = removals.reduce((sum, { removed }) => sum + removed, 0);
    const gone = left?.templates === 0 && left.references === 0 && left.consents === 0;
    if (!gone || usable !== 0 || told !== places.length) throw new Error('an erasure left something behind');
    return {
      rows: { templates: 0, references: 0, openConsents: 0 },
      pads: { slots: places.length, usable: 0 },
      caches: removals.map(({ gallery_id: galleryId, version }) => ({ galleryId, version })),
    };
  }
}
