import { AuditLog } from '#audit/audit-log';
import type { ClientId, ConsentId, NoticeId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConsentLedger } from './consent-ledger.js';
import type { Notice } from './notice.entity.js';

const AT_ONCE = 500;
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface DueConsent {
  readonly consent_id: ConsentId;
  readonly client_id: ClientId;
  readonly subject_id: SubjectId;
  readonly purpose: string;
  readonly renew_by: Date;
}

/** Notices that ask for renewal: who consented under an older version in that language is bound until `renewBy`. */
@Injectable()
export class Renewals {
  constructor(
    private readonly ledger: ConsentLedger,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Before a consent is given or renewed in `tx`, and before it locks a row: a notice that asks for renewal is published
   * before or after, never beside it.
   */
  async holdOff(tx: EntityManager, clientId: ClientId, purpose: string): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 3))', [
      `${clientId} ${purpose}`,
    ]);
  }

  /** Until when a consent under this notice can last, since a newer version asks for renewal; null: without limit. */
  async limit(tx: EntityManager, notice: Notice, jurisdiction: string): Promise<Date | null> {
    const [row] = await tx.query<{ until: Date | null }[]>(
      `SELECT min(renew_by) AS until FROM notice
       WHERE client_id = $1 AND purpose = $2 AND language = $3 AND version > $4
         AND (jurisdiction IS NULL OR jurisdiction = $5)`,
      [notice.clientId, notice.purpose, notice.language, notice.version, jurisdiction],
    );
    return row?.until ?? null;
  }

  /**
   * Notes that a notice asks for renewal, and brings the end of some consents forward at once; the worker goes on. Nothing
   * waits for it longer than a batch takes: what is consented to after the commit is limited, what was before is found.
   */
  async demand(
    tx: EntityManager,
    { id, clientId, purpose }: Pick<Notice, 'id' | 'clientId' | 'purpose'>,
    renewBy: Date,
  ): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 3))', [`${clientId} ${purpose}`]);
    await tx.query('INSERT INTO renewal_demand (notice_id, renew_by) VALUES ($1, $2)', [id, renewBy]);
    await this.shortenSome(tx, id);
  }

  /**
   * Brings the end of some consents after `from` forward, in the order of their ids. Answers where to go on; undefined: the
   * last were among them.
   */
  async shortenSome(
    tx: EntityManager,
    noticeId: NoticeId,
    from: string = NO_ID,
  ): Promise<ConsentId | undefined> {
    const found = await tx.query<{ consent_id: ConsentId }[]>(
      `SELECT consent_id FROM renewal_due WHERE notice_id = $1 AND consent_id > $2
       ORDER BY consent_id LIMIT ${AT_ONCE}`,
      [noticeId, from],
    );
    const ids = found.map(({ consent_id }) => consent_id);
    // Rows before the version, in the order of all who lock several: whoever ends a consent does the same.
    await tx.query('SELECT FROM consent WHERE id = ANY($1) ORDER BY id FOR UPDATE', [ids]);
    // Read again under their locks: they may just have been renewed.
    const due = await tx.query<DueConsent[]>(
      'SELECT * FROM renewal_due WHERE notice_id = $1 AND consent_id = ANY($2) ORDER BY consent_id',
      [noticeId, ids],
    );
    const [first] = due;
    if (first !== undefined) {
      const version = await this.ledger.nextVersion(tx, first.client_id, first.purpose);
      await tx.query('UPDATE consent SET expires_at = $1, version = $2 WHERE id = ANY($3)', [
        first.renew_by,
        version,
        due.map(({ consent_id }) => consent_id),
      ]);
      await this.record(tx, noticeId, due);
    }
    return ids.length === AT_ONCE ? ids.at(-1) : undefined;
  }

  private async record(
    tx: EntityManager,
    noticeId: NoticeId,
    shortened: readonly DueConsent[],
  ): Promise<void> {
    await this.audit.appendAll(
      tx,
      shortened.map(
        ({ consent_id: consentId, client_id: clientId, subject_id: subjectId, purpose, renew_by }) => ({
          type: 'consent.shortened',
          outcome: 'ok',
          clientId,
          subjectId,
          details: { consentId, noticeId, purpose, expiresAt: renew_by.toISOString() },
        }),
      ),
    );
  }
}
