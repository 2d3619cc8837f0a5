import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, type ConsentId, type HoldId, newId, type SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { HoldEndsInPast, NothingToHold } from './retention.errors.js';

export interface NewHold {
  readonly subjectId: SubjectId;
  /** Without it: all that is kept of the person. */
  readonly consentId?: ConsentId;
  readonly reason: string;
  readonly until?: Date;
}

/** Of a hold that a restored backup lacks. */
export interface EarlierHold {
  readonly id: HoldId;
  readonly placedAt: Date;
}

/** Keeps data from being destroyed until the hold is released, or until its time is up. It makes nothing searchable. */
export class PlaceHold extends Command<Created<'hold'>> {
  constructor(
    readonly hold: NewHold,
    readonly idempotency?: IdempotentRequest,
    readonly earlier?: EarlierHold,
  ) {
    super();
  }
}

@CommandHandler(PlaceHold)
export class PlaceHoldHandler implements ICommandHandler<PlaceHold> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly audit: AuditLog,
  ) {}

  execute({ hold, idempotency, earlier }: PlaceHold): Promise<Created<'hold'>> {
    const { subjectId, consentId, reason, until } = hold;
    const event = { type: 'hold.placed', subjectId } as const;
    return this.audit.recordingRefusals(event, () => {
      if (until !== undefined && until <= new Date()) throw new HoldEndsInPast();
      return this.idempotency.transaction(idempotency, async (tx) => {
        const clientId = await this.holdSubject(tx, subjectId, consentId);
        const id = earlier?.id ?? newId<'hold'>();
        await tx.query(
          `INSERT INTO legal_hold (id, subject_id, consent_id, reason, until, placed_at)
           VALUES ($1, $2, $3, $4, $5, coalesce($6, now()))`,
          [id, subjectId, consentId ?? null, reason, until ?? null, earlier?.placedAt ?? null],
        );
        const details = { holdId: id, reason, ...(consentId === undefined ? {} : { consentId }) };
        await this.audit.append(tx, { ...event, outcome: 'ok', clientId, details });
        return { id };
      });
    });
  }

  /**
   * Locks the person's row, as whoever destroys what is the person's does, and then the galleries, as whoever destroys a
   * template or a gallery does: the hold is there before their decision, or comes too late.
   */
  private async holdSubject(
    tx: EntityManager,
    subjectId: SubjectId,
    consentId: ConsentId | undefined,
  ): Promise<ClientId> {
    const [subject] = await tx.query<{ client_id: ClientId }[]>(
      'SELECT client_id FROM subject WHERE id = $1 FOR UPDATE',
      [subjectId],
    );
    await tx.query(
      `SELECT id FROM gallery WHERE id IN (SELECT gallery_id FROM template WHERE subject_id = $1)
       ORDER BY id FOR SHARE`,
      [subjectId],
    );
    // Read once the locks are there.
    const [kept] = await tx.query<{ kept: boolean }[]>(
      `SELECT (s.erased_at IS NULL OR EXISTS (SELECT FROM destruction d WHERE d.subject_id = s.id AND d.destroyed_at IS NULL))
         AND ($2::uuid IS NULL OR EXISTS (SELECT FROM consent c WHERE c.id = $2 AND c.subject_id = s.id)) AS kept
       FROM subject s WHERE s.id = $1`,
      [subjectId, consentId ?? null],
    );
    if (subject === undefined || kept?.kept !== true) throw new NothingToHold();
    return subject.client_id;
  }
}
