import { AuditLog } from '#audit/audit-log';
import type { ClientId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { SubjectNotFound } from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { endingFact } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';
import { Subject } from './internal/subject.entity.js';

/** The consent side of erasing a person, in the transaction that erases or holds the templates. */
@Injectable()
export class SubjectErasure {
  constructor(
    private readonly ledger: ConsentLedger,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Ends every open consent and forgets the reference and the age; the id stays, for the facts that name it. With `heldUntil` nothing
   * finds the person from now on, but reference, age and entries stay until they are destroyed.
   */
  async erase(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    templates: number,
    heldUntil?: Date,
  ): Promise<void> {
    const subject = await tx.findOne(Subject, {
      where: { id: subjectId, clientId, erasedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    if (subject === null) throw new SubjectNotFound();
    const now = new Date();
    const held = await tx.find(Consent, {
      where: { subjectId, endedAt: IsNull() },
      order: { purpose: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    const open = await standing(tx, held);
    for (const consent of open)
      await this.ledger.end(tx, consent, endingFact(consent, now) ?? 'withdrawn', now);
    await tx.update(Subject, { id: subjectId }, { referenceIndex: null, erasedAt: now });
    if (heldUntil === undefined) await this.forget(tx, subjectId);
    await this.audit.append(tx, {
      type: 'subject.erased',
      outcome: 'ok',
      clientId,
      subjectId,
      details: {
        templates,
        consents: open.length,
        ...(heldUntil === undefined ? {} : { destroyAfter: heldUntil.toISOString() }),
      },
    });
    // Last: whatever this erasure recorded about the person goes with the rest.
    if (heldUntil === undefined) await this.audit.forget(tx, subjectId);
  }

  /** What `erase` has held: its date has come. */
  async destroy(tx: EntityManager, subjectId: SubjectId): Promise<void> {
    await this.forget(tx, subjectId);
    await this.audit.forget(tx, subjectId);
  }

  private async forget(tx: EntityManager, subjectId: SubjectId): Promise<void> {
    await tx.update(Subject, { id: subjectId }, { reference: null, adultFrom: null });
    await tx.query(
      `UPDATE consent_fact SET person_ip_hash = NULL WHERE person_ip_hash IS NOT NULL
         AND consent_id IN (SELECT id FROM consent WHERE subject_id = $1)`,
      [subjectId],
    );
  }
}
