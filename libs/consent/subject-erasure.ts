import { AuditLog } from '#audit/audit-log';
import type { ClientId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { SubjectNotFound } from './consent.errors.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { endingFact } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';
import { Subject } from './internal/subject.entity.js';

/** The consent side of erasing a person, in the transaction that erases the templates. */
@Injectable()
export class SubjectErasure {
  constructor(
    private readonly ledger: ConsentLedger,
    private readonly audit: AuditLog,
  ) {}

  /** Ends every open consent and forgets the reference and the age; the id stays, for the facts that name it. */
  async erase(tx: EntityManager, clientId: ClientId, subjectId: SubjectId, templates: number): Promise<void> {
    const subject = await tx.findOne(Subject, {
      where: { id: subjectId, clientId, erasedAt: IsNull() },
      lock: { mode: 'pessimistic_write' },
    });
    if (subject === null) throw new SubjectNotFound();
    const now = new Date();
    const open = await tx.find(Consent, {
      where: { subjectId, endedAt: IsNull() },
      order: { purpose: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    for (const consent of open)
      await this.ledger.end(tx, consent, endingFact(consent, now) ?? 'withdrawn', now);
    const nothing = { reference: null, referenceIndex: null, adultFrom: null };
    await tx.update(Subject, { id: subjectId }, { ...nothing, erasedAt: now });
    await this.audit.append(tx, {
      type: 'subject.erased',
      outcome: 'ok',
      clientId,
      subjectId,
      details: { templates, consents: open.length },
    });
    // Last: whatever this erasure recorded about the person goes with the rest.
    await this.audit.forget(tx, subjectId);
  }
}
