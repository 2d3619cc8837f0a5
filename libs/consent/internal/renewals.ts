import type { ClientId, ConsentId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConsentLedger } from './consent-ledger.js';
import type { Notice } from './notice.entity.js';

/** Notices that ask for renewal: who consented under an older version in that language is bound until `renewBy`. */
@Injectable()
export class Renewals {
  constructor(private readonly ledger: ConsentLedger) {}

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

  /** Brings the end of what was consented to before forward. Answers how many consents. */
  async demand(
    tx: EntityManager,
    notice: Pick<Notice, 'clientId' | 'purpose' | 'language' | 'version' | 'jurisdiction'>,
    renewBy: Date,
  ): Promise<number> {
    const { clientId, purpose, language, version, jurisdiction } = notice;
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 3))', [`${clientId} ${purpose}`]);
    // Rows before the version, in the order of all who lock several: whoever ends a consent does the same.
    const rows = await tx.query<{ id: ConsentId }[]>(
      `SELECT c.id FROM consent c JOIN notice n ON n.id = c.notice_id JOIN subject s ON s.id = c.subject_id
       WHERE c.client_id = $1 AND c.purpose = $2 AND c.ended_at IS NULL
         AND (c.expires_at IS NULL OR c.expires_at > $3)
         AND n.language = $4 AND n.version < $5 AND ($6::text IS NULL OR s.jurisdiction = $6)
       ORDER BY c.id FOR UPDATE OF c`,
      [clientId, purpose, renewBy, language, version, jurisdiction],
    );
    if (rows.length === 0) return 0;
    await tx.query('UPDATE consent SET expires_at = $1, version = $2 WHERE id = ANY($3)', [
      renewBy,
      await this.ledger.nextVersion(tx, clientId, purpose),
      rows.map(({ id }) => id),
    ]);
    return rows.length;
  }
}
