import { AuditLog } from '#audit/audit-log';
import type { ClientId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { ConsentGate } from './consent-gate.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { standing } from './internal/consent-standing.js';
import { endingFact } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';

/** What a person can have done about the processing of their data, in the transaction of the case that decides it. */
@Injectable()
export class ProcessingLimits {
  constructor(
    private readonly gate: ConsentGate,
    private readonly ledger: ConsentLedger,
    private readonly audit: AuditLog,
  ) {}

  /**
   * GDPR Art. 18(2): nothing but storage. No call matches or enrols the subject from the commit on, and no consent ends;
   * one that is given meanwhile waits, too. Restricting again changes nothing.
   */
  async restrict(tx: EntityManager, clientId: ClientId, subjectId: SubjectId): Promise<void> {
    await this.gate.holdSubject(tx, clientId, subjectId);
    await tx.query('UPDATE subject SET restricted_at = now() WHERE id = $1 AND restricted_at IS NULL', [
      subjectId,
    ]);
    await this.suspend(tx, subjectId, new Date());
    await this.audit.append(tx, { type: 'processing.restricted', outcome: 'ok', clientId, subjectId });
  }

  /** Undoes it: what was consented to, and has not ended meanwhile, counts again. */
  async resume(tx: EntityManager, clientId: ClientId, subjectId: SubjectId): Promise<void> {
    await this.gate.holdSubject(tx, clientId, subjectId);
    await tx.query('UPDATE subject SET restricted_at = NULL WHERE id = $1', [subjectId]);
    await this.suspend(tx, subjectId, null);
    await this.audit.append(tx, { type: 'processing.resumed', outcome: 'ok', clientId, subjectId });
  }

  /** Ends the consents for a purpose, or all: an objection that is upheld (GDPR Art. 21(1)). */
  async end(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    purpose: string | null,
  ): Promise<void> {
    await this.gate.holdSubject(tx, clientId, subjectId);
    const now = new Date();
    for (const consent of await standing(tx, await this.open(tx, subjectId))) {
      const fact = endingFact(consent, now);
      if (fact !== undefined && (purpose === null || consent.purpose === purpose))
        await this.ledger.end(tx, consent, fact, now);
    }
  }

  private async suspend(tx: EntityManager, subjectId: SubjectId, suspendedAt: Date | null): Promise<void> {
    for (const { id, clientId, purpose } of await this.open(tx, subjectId)) {
      const version = await this.ledger.nextVersion(tx, clientId, purpose);
      await tx.update(Consent, { id }, { suspendedAt, version });
    }
  }

  private open(tx: EntityManager, subjectId: SubjectId): Promise<Consent[]> {
    return tx.find(Consent, {
      where: { subjectId, endedAt: IsNull() },
      order: { purpose: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
  }
}
