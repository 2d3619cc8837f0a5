import type { AuditEventId, GalleryId, KeyRotationId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { KeyRotationNotFound } from './biometrics.errors.js';
import { openDeduplication } from './internal/open-deduplication.js';

export const KEY_ROTATION_STATES = ['requested', 'moving', 'rotated', 'gallery_destroyed'] as const;
export const KEY_ROTATION_WAITS = ['deduplication', 'tampered_templates', 'adoption'] as const;

export interface KeyRotationView {
  readonly id: KeyRotationId;
  readonly galleryId: GalleryId;
  readonly state: (typeof KEY_ROTATION_STATES)[number];
  /** What has to end, or be erased, before it goes on. */
  readonly waitsFor: (typeof KEY_ROTATION_WAITS)[number] | null;
  /** When that ends, where it is known. */
  readonly waitsUntil: Date | null;
  /** Sealed templates under the old keys when it began, those that moved, and those that are left. */
  readonly rows: number | null;
  readonly moved: number;
  readonly left: number | null;
  readonly segments: number;
  readonly segmentsDestroyed: number;
  readonly requestedAt: Date;
  readonly begunAt: Date | null;
  /** By the pace until now. */
  readonly expectedEndAt: Date | null;
  readonly endedAt: Date | null;
  readonly auditRecords: readonly AuditEventId[];
}

interface RotationRow {
  readonly id: KeyRotationId;
  readonly gallery_id: GalleryId;
  readonly requested_at: Date;
  readonly begun_at: Date | null;
  /** When the version before cannot come back any more, as the custodian said last. */
  readonly adopted_at: Date | null;
  readonly rows: number | null;
  readonly moved: number;
  readonly moved_at: Date | null;
  readonly ended_at: Date | null;
  readonly outcome: 'rotated' | 'gallery_destroyed' | null;
  readonly audit_records: AuditEventId[];
  readonly segments: number;
  readonly templates_left: number | null;
  readonly held_left: number | null;
  readonly broken: number | null;
  readonly deduplicated: boolean;
}

/** Rows under old keys are counted only while it goes on. */
const ROTATION = `
  SELECT r.*, (SELECT count(*)::int FROM rotating_segment s WHERE s.rotation_id = r.id) AS segments,
         t.templates_left, t.broken, h.held_left, ${openDeduplication('r.gallery_id')} AS deduplicated
  FROM key_set_rotation r
  LEFT JOIN LATERAL (
    SELECT count(*)::int AS templates_left, count(b.template_id)::int AS broken FROM rotating_segment s
    JOIN template t ON t.segment_id = s.segment_id LEFT JOIN broken_binding b ON b.template_id = t.id
    WHERE s.rotation_id = r.id) AS t ON r.begun_at IS NOT NULL AND r.ended_at IS NULL
  LEFT JOIN LATERAL (
    SELECT count(*)::int AS held_left FROM rotating_segment s JOIN held_template h ON h.segment_id = s.segment_id
    WHERE s.rotation_id = r.id) AS h ON r.begun_at IS NOT NULL AND r.ended_at IS NULL`;

export class FindKeyRotation extends Query<KeyRotationView> {
  constructor(
    readonly galleryId: GalleryId,
    readonly rotationId: KeyRotationId,
  ) {
    super();
  }
}

@QueryHandler(FindKeyRotation)
export class FindKeyRotationHandler implements IQueryHandler<FindKeyRotation> {
  constructor(private readonly db: DataSource) {}

  async execute({ galleryId, rotationId }: FindKeyRotation): Promise<KeyRotationView> {
    const [row] = await this.db.query<RotationRow[]>(`${ROTATION} WHERE r.id = $1 AND r.gallery_id = $2`, [
      rotationId,
      galleryId,
    ]);
    if (row === undefined) throw new KeyRotationNotFound();
    return show(row);
  }
}

/** Newest first; also of a gallery that is destroyed. */
export class ListKeyRotations extends Query<Page<KeyRotationView>> {
  constructor(
    readonly galleryId: GalleryId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListKeyRotations)
export class ListKeyRotationsHandler implements IQueryHandler<ListKeyRotations> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ galleryId, page }: ListKeyRotations): Promise<Page<KeyRotationView>> {
    const list = `key-rotations ${galleryId}`;
    const before = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    const rows = await this.db.query<RotationRow[]>(
      `${ROTATION} WHERE r.gallery_id = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3`,
      [galleryId, before, page.limit + 1],
    );
    return this.cursors.page(list, page, rows, show);
  }
}

function show(row: RotationRow): KeyRotationView {
  const { begun_at: begunAt, ended_at: endedAt, outcome, moved } = row;
  const left = row.templates_left === null ? null : row.templates_left + (row.held_left ?? 0);
  const tampered = left !== null && left > 0 && left === row.broken;
  const adopts = begunAt === null && row.adopted_at !== null;
  const waitsFor = adopts
    ? 'adoption'
    : row.deduplicated
      ? 'deduplication'
      : tampered
        ? 'tampered_templates'
        : null;
  return {
    id: row.id,
    galleryId: row.gallery_id,
    state: outcome ?? (begunAt === null ? 'requested' : 'moving'),
    waitsFor: endedAt === null ? waitsFor : null,
    waitsUntil: adopts && endedAt === null ? row.adopted_at : null,
    rows: row.rows,
    moved,
    left: endedAt === null ? left : 0,
    segments: row.segments,
    segmentsDestroyed: outcome === 'rotated' ? row.segments : 0,
    requestedAt: row.requested_at,
    begunAt,
    expectedEndAt: waitsFor === null && endedAt === null ? expectedEnd(row, left ?? 0) : null,
    endedAt,
    auditRecords: row.audit_records,
  };
}

function expectedEnd(
  { begun_at: begunAt, moved_at: movedAt, moved }: RotationRow,
  left: number,
): Date | null {
  if (begunAt === null || movedAt === null || moved === 0) return null;
  const took = movedAt.getTime() - begunAt.getTime();
  return new Date(movedAt.getTime() + (took * left) / moved);
}
