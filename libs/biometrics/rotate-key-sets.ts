import { AuditLog } from '#audit/audit-log';
import { CustodyNotAdopted, KeySetNotFound } from '#custody/custody.errors';
import { KeyCustodian } from '#custody/key-custodian';
import { type ClientId, type GalleryId, type KeyRotationId, newId, type SegmentId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { GalleryStore } from './internal/gallery-store.js';
import { Gallery } from './internal/gallery.entity.js';
import { type MovedBatch, RowMover } from './internal/row-mover.js';

interface OpenRotation {
  readonly id: KeyRotationId;
  readonly gallery_id: GalleryId;
  readonly client_id: ClientId;
}

type RotationEvent = 'key_set.rotation_begun' | 'key_set.rows_resealed' | 'key_set.rotated';

/**
 * Goes on with every rotation that no other worker has in hand, until its rows lie under new keys and the old ones are
 * destroyed. What was done stays done if the process dies: docs/adr/0038-a-gallery-gets-new-keys.md.
 */
export class RotateKeySets extends Command<void> {
  constructor(
    /** Between two batches, what is left waits for the next time. */
    readonly signal: AbortSignal,
  ) {
    super();
  }
}

@CommandHandler(RotateKeySets)
export class RotateKeySetsHandler implements ICommandHandler<RotateKeySets> {
  constructor(
    private readonly db: DataSource,
    private readonly galleries: GalleryStore,
    private readonly custodian: KeyCustodian,
    private readonly mover: RowMover,
    private readonly audit: AuditLog,
  ) {}

  async execute({ signal }: RotateKeySets): Promise<void> {
    const open = await this.db.query<OpenRotation[]>(
      'SELECT id, gallery_id, client_id FROM key_set_rotation WHERE ended_at IS NULL ORDER BY id',
    );
    let failure: unknown;
    // One that fails holds up no other.
    for (const rotation of open)
      await this.goOn(rotation, signal).catch((error: unknown) => (failure = error));
    if (failure instanceof Error) throw failure;
  }

  private async goOn(rotation: OpenRotation, signal: AbortSignal): Promise<void> {
    const segments = await this.begin(rotation);
    for (const segmentId of segments ?? []) await this.empty(rotation, segmentId, signal);
    if (segments !== undefined && !signal.aborted) await this.finish(rotation);
  }

  /** The segments to empty; undefined if another worker has it in hand, or the gallery is gone. */
  private begin(rotation: OpenRotation): Promise<readonly SegmentId[] | undefined> {
    return this.inHand(rotation, async (tx, { begun }) => {
      const { id, gallery_id: galleryId } = rotation;
      if (!(await tx.existsBy(Gallery, { id: galleryId }))) {
        await this.end(tx, rotation, 'gallery_destroyed');
        return undefined;
      }
      const segments = await this.earlierSegments(rotation).catch(notBefore);
      if (segments instanceof Date) {
        await tx.query('UPDATE key_set_rotation SET adopted_at = $2 WHERE id = $1', [id, segments]);
        return undefined;
      }
      if (segments === undefined) return undefined;
      await tx.query(
        `INSERT INTO rotating_segment (segment_id, rotation_id) SELECT id, $1 FROM unnest($2::uuid[]) AS id
         ON CONFLICT DO NOTHING`,
        [id, segments],
      );
      if (!begun) {
        await tx.query(
          `UPDATE key_set_rotation SET begun_at = clock_timestamp(), rows = (
             (SELECT count(*) FROM template WHERE segment_id = ANY($2))
             + (SELECT count(*) FROM held_template WHERE segment_id = ANY($2))) WHERE id = $1`,
          [id, segments],
        );
        await this.record(tx, rotation, 'key_set.rotation_begun', { segments: segments.length });
      }
      return segments;
    });
  }

  private async empty(rotation: OpenRotation, segmentId: SegmentId, signal: AbortSignal): Promise<void> {
    for (let after: number | undefined = -1; after !== undefined && !signal.aborted;) {
      const batch: MovedBatch | undefined = await this.moveSome(rotation, segmentId, after);
      after = batch?.last;
    }
  }

  private moveSome(
    rotation: OpenRotation,
    segmentId: SegmentId,
    after: number,
  ): Promise<MovedBatch | undefined> {
    return this.inHand(rotation, async (tx) => {
      const gallery = await tx.findOneBy(Gallery, { id: rotation.gallery_id });
      if (gallery === null) return undefined;
      const batch = await this.mover.move(tx, gallery, segmentId, after);
      if (batch.moved > 0) {
        await tx.query(
          'UPDATE key_set_rotation SET moved = moved + $2, moved_at = clock_timestamp() WHERE id = $1',
          [rotation.id, batch.moved],
        );
        await this.record(tx, rotation, 'key_set.rows_resealed', { rows: batch.moved });
      }
      return batch;
    });
  }

  /** Once no row is left: first nothing can be put there any more, then the keys are destroyed, then it is recorded. */
  private async finish(rotation: OpenRotation): Promise<void> {
    const retired = await this.inHand(rotation, (tx) => this.retire(tx, rotation));
    if (retired === undefined) return;
    await this.custodian.destroySegments(rotation.gallery_id, retired);
    const left = await this.earlierSegments(rotation);
    if (left === undefined || left.length > 0) return;
    await this.inHand(rotation, (tx) => this.end(tx, rotation, 'rotated'));
  }

  /** Undefined while rows are there. Whoever enrols holds the gallery's row, too: it comes before, or is refused. */
  private async retire(
    tx: EntityManager,
    { id, gallery_id: galleryId }: OpenRotation,
  ): Promise<readonly SegmentId[] | undefined> {
    if ((await this.galleries.hold(tx, [galleryId])).length === 0) return undefined;
    const occupied = await tx.query<unknown[]>(
      `SELECT 1 FROM rotating_segment s WHERE s.rotation_id = $1
         AND (EXISTS (SELECT FROM template t WHERE t.segment_id = s.segment_id)
           OR EXISTS (SELECT FROM held_template h WHERE h.segment_id = s.segment_id)) LIMIT 1`,
      [id],
    );
    if (occupied.length > 0) return undefined;
    await tx.query(
      'UPDATE rotating_segment SET retired_at = now() WHERE rotation_id = $1 AND retired_at IS NULL',
      [id],
    );
    const segments = await tx.query<{ id: SegmentId }[]>(
      'SELECT segment_id AS id FROM rotating_segment WHERE rotation_id = $1',
      [id],
    );
    return segments.map((segment) => segment.id);
  }

  private async end(
    tx: EntityManager,
    rotation: OpenRotation,
    outcome: 'rotated' | 'gallery_destroyed',
  ): Promise<void> {
    const [[ended]] = await tx.query<[{ moved: number; segments: number }[], number]>(
      `UPDATE key_set_rotation r SET ended_at = clock_timestamp(), outcome = $2 WHERE id = $1
       RETURNING moved, (SELECT count(*)::int FROM rotating_segment s WHERE s.rotation_id = r.id) AS segments`,
      [rotation.id, outcome],
    );
    if (outcome === 'gallery_destroyed' || ended === undefined) return;
    const { moved: rows, segments: segmentsDestroyed } = ended;
    await this.record(tx, rotation, 'key_set.rotated', { rows, segmentsDestroyed });
  }

  /** Undefined once the gallery's keys are destroyed. */
  private async earlierSegments({
    id,
    gallery_id: galleryId,
  }: OpenRotation): Promise<readonly SegmentId[] | undefined> {
    try {
      return await this.custodian.beginRotation(galleryId, id);
    } catch (error) {
      if (error instanceof KeySetNotFound) return undefined;
      throw error;
    }
  }

  /** In a transaction that has the rotation for itself; undefined if another has it, or it has ended. */
  private inHand<R>(
    { id }: OpenRotation,
    work: (tx: EntityManager, state: { readonly begun: boolean }) => Promise<R>,
  ): Promise<R | undefined> {
    return this.db.transaction(async (tx) => {
      const [state] = await tx.query<{ begun: boolean }[]>(
        `SELECT begun_at IS NOT NULL AS begun FROM key_set_rotation WHERE id = $1 AND ended_at IS NULL
         FOR NO KEY UPDATE SKIP LOCKED`,
        [id],
      );
      return state && work(tx, state);
    });
  }

  private async record(
    tx: EntityManager,
    { id: rotationId, client_id: clientId, gallery_id: galleryId }: OpenRotation,
    type: RotationEvent,
    counts: Readonly<Record<string, number>>,
  ): Promise<void> {
    const id = newId<'audit-event'>();
    const details = { ...counts, rotationId };
    await this.audit.append(tx, { id, type, outcome: 'ok', clientId, galleryId, details });
    await tx.query('UPDATE key_set_rotation SET audit_records = audit_records || $2::uuid WHERE id = $1', [
      rotationId,
      id,
    ]);
  }
}

function notBefore(error: unknown): Date {
  if (error instanceof CustodyNotAdopted) return error.due;
  throw error;
}
