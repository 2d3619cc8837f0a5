import { KeyCustodian, type SealedTemplate } from '#custody/key-custodian';
import type { SegmentId, TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { KeyObject } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { bindingOf } from '../template-binding.js';
import { STORED_ROW, type StoredRow, TemplateBindings } from '../template-bindings.js';
import { GalleryStore } from './gallery-store.js';
import type { Gallery } from './gallery.entity.js';
import { openDeduplication } from './open-deduplication.js';

/** Some ten milliseconds of the sealing thread's time, and a megabyte that each matcher reads before its next search. */
const ROWS_AT_ONCE = 256;

/** Longer than a search takes: one that is under way finds rows where they were. */
const SEARCHED_FOR_SECONDS = 30;

interface HeldRow {
  readonly id: TemplateId;
  readonly slot: number;
  readonly row: Buffer;
}

export interface MovedBatch {
  /** The last slot that was looked at; undefined if there was none. */
  readonly last: number | undefined;
  readonly moved: number;
}

const NOTHING: MovedBatch = { last: undefined, moved: 0 };

/** Puts rows of a segment under new keys, a few at a time, beside whoever enrols, erases and matches. */
@Injectable()
export class RowMover {
  constructor(
    private readonly galleries: GalleryStore,
    private readonly bindings: TemplateBindings,
    private readonly custodian: KeyCustodian,
  ) {}

  /**
   * Rows behind slot `after` that are genuine, and those that are held. What is erased meanwhile stays erased: its new slot
   * is lost. Whoever calls it MUST see to it that nobody else moves the same rows.
   */
  async move(tx: EntityManager, gallery: Gallery, segmentId: SegmentId, after: number): Promise<MovedBatch> {
    const key = await this.bindings.keyOf(gallery);
    // A worker makes the key, and binds the rows that have no binding, within seconds.
    if (key === undefined || (await this.isDeduplicated(tx, gallery))) return NOTHING;
    const found = await tx.query<StoredRow[]>(
      `SELECT ${STORED_ROW} FROM template t
       WHERE t.gallery_id = $1 AND t.segment_id = $2 AND t.slot > $3 AND t.binding IS NOT NULL
         AND NOT EXISTS (SELECT FROM broken_binding b WHERE b.template_id = t.id)
       ORDER BY t.slot LIMIT ${ROWS_AT_ONCE}`,
      [gallery.id, segmentId, after],
    );
    const last = found.at(-1)?.slot;
    // They are matched with nobody and have no binding; a slot is in one of the two tables.
    const held = await tx.query<HeldRow[]>(
      `SELECT id, slot, "row" FROM held_template
       WHERE gallery_id = $1 AND segment_id = $2 AND slot > $3 AND ($4::int IS NULL OR slot <= $4)
       ORDER BY slot LIMIT ${ROWS_AT_ONCE}`,
      [gallery.id, segmentId, after, last ?? null],
    );
    const genuine = await this.bindings.genuine(gallery, found);
    const all = [...genuine, ...held];
    if (all.length === 0) return { last, moved: 0 };
    const sealed = await this.custodian.reseal(gallery.id, {
      segmentId,
      slots: Uint16Array.from(all, ({ slot }) => slot),
      rows: new Uint8Array(Buffer.concat(all.map(({ row }) => row))),
    });
    const version = await this.galleries.nextVersion(tx, gallery.id);
    // Looked at again under the gallery's lock, for which the plan of such a job waits.
    if (await this.isDeduplicated(tx, gallery)) return NOTHING;
    const templates = await moveTemplates(tx, version, key, genuine, sealed.slice(0, genuine.length));
    const kept = await moveHeld(tx, segmentId, held, sealed.slice(genuine.length));
    return { last: Math.max(last ?? 0, held.at(-1)?.slot ?? 0), moved: templates + kept };
  }

  private async isDeduplicated(tx: EntityManager, { id }: Gallery): Promise<boolean> {
    const [answer] = await tx.query<{ open: boolean }[]>(`SELECT ${openDeduplication('$1')} AS open`, [id]);
    return answer?.open !== false;
  }
}

/** Of the rows those that are still what they were, each bound to its new place; answers how many. */
async function moveTemplates(
  tx: EntityManager,
  version: string,
  key: KeyObject,
  rows: readonly StoredRow[],
  sealed: readonly SealedTemplate[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const moves = rows.flatMap((from, n) => {
    const to = sealed[n];
    if (to === undefined) return [];
    const { segmentId, slot, row } = to;
    return [{ from, to, binding: bindingOf(key, { ...from, segmentId, slot }, row) }];
  });
  const [moved] = await tx.query<[{ slot: number }[], number]>(
    `UPDATE template t SET segment_id = m.segment_id, slot = m.slot, "row" = m.made, binding = m.binding, version = $1
     FROM unnest($2::uuid[], $3::int[], $4::bytea[], $5::uuid[], $6::int[], $7::bytea[], $8::bytea[])
       AS m (id, old_slot, old_binding, segment_id, slot, made, binding)
     WHERE t.id = m.id AND t.segment_id = $9 AND t.slot = m.old_slot AND t.binding = m.old_binding
     RETURNING m.old_slot AS slot`,
    [
      version,
      moves.map(({ from }) => from.templateId),
      moves.map(({ from }) => from.slot),
      moves.map(({ from }) => from.binding),
      moves.map(({ to }) => to.segmentId),
      moves.map(({ to }) => to.slot),
      moves.map(({ to }) => Buffer.from(to.row)),
      moves.map(({ binding }) => binding),
      rows[0]?.segmentId,
    ],
  );
  await tx.query(
    `INSERT INTO template_removal (gallery_id, version, segment_id, slot)
     SELECT $1, $2, $3, slot FROM unnest($4::int[]) AS slot`,
    [rows[0]?.galleryId, version, rows[0]?.segmentId, moved.map(({ slot }) => slot)],
  );
  // Whoever kept the row as it was is told nothing of it, however long the segment's key has to stay.
  await tx.query(
    `INSERT INTO slot_retirement (segment_id, slot, not_before)
     SELECT $1, slot, clock_timestamp() + interval '${SEARCHED_FOR_SECONDS} seconds' FROM unnest($2::int[]) AS slot`,
    [rows[0]?.segmentId, moved.map(({ slot }) => slot)],
  );
  return moved.length;
}

async function moveHeld(
  tx: EntityManager,
  segmentId: SegmentId,
  rows: readonly HeldRow[],
  sealed: readonly SealedTemplate[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const [, moved] = await tx.query<[unknown[], number]>(
    `UPDATE held_template h SET segment_id = m.segment_id, slot = m.slot, "row" = m.made
     FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::bytea[])
       AS m (id, old_slot, segment_id, slot, made)
     WHERE h.id = m.id AND h.segment_id = $6 AND h.slot = m.old_slot`,
    [
      rows.map(({ id }) => id),
      rows.map(({ slot }) => slot),
      sealed.map((to) => to.segmentId),
      sealed.map((to) => to.slot),
      sealed.map(({ row }) => Buffer.from(row)),
      segmentId,
    ],
  );
  return moved;
}
