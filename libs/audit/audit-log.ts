import { currentContext } from '#platform/request-context';
import { DomainError } from '#platform/domain-error';
import { type AuditEventId, type ClientId, type GalleryId, newId, type SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AuditEventType, type AuditOutcome } from './audit-event-types.js';
import { type Entry, entryTime, seal } from './internal/entry.js';
import { noteReceipts } from './internal/receipts.js';

export interface AuditEventInput {
  readonly id?: AuditEventId;
  readonly type: AuditEventType;
  readonly outcome: AuditOutcome;
  /** The code of the refusal, where there was one. */
  readonly code?: string;
  readonly clientId?: ClientId;
  readonly subjectId?: SubjectId;
  readonly galleryId?: GalleryId;
  /** Ids, counts and names of choices. It MUST NOT hold personal data, a score, a vector or an address. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

/** The append-only record of what was decided; the database role of the apps can neither change nor delete it. */
@Injectable()
export class AuditLog {
  constructor(private readonly db: DataSource) {}

  /** Commits with `tx`: what it records and the record itself stand or fall together. */
  async append(tx: EntityManager, event: AuditEventInput): Promise<void> {
    await this.appendAll(tx, [event]);
  }

  /** The same for many, in one statement. */
  async appendAll(tx: EntityManager, events: readonly AuditEventInput[]): Promise<void> {
    if (events.length === 0) return;
    const at = entryTime(new Date());
    const rows = events.map((event) => {
      const entry = entryOf(event, at);
      const { salt, commitment } = seal(entry, 1);
      return { commitment, row: rowOf(entry, salt, commitment) };
    });
    await tx.query(
      `INSERT INTO audit_event (id, at, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash,
         details, salt, commitment)
       SELECT id, at, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash,
         details, salt, commitment
       FROM jsonb_populate_recordset(NULL::audit_event, $1)`,
      [JSON.stringify(rows.map(({ row }) => row))],
    );
    noteReceipts(
      tx,
      rows.map(({ commitment }) => commitment),
    );
  }

  /**
   * Removes what was recorded about somebody who is erased in `tx`, and records that it was removed: how many entries,
   * and the digest of their commitments, whose leaves stay. Not whose: docs/adr/0025-forgetting-in-the-audit-log.md.
   */
  async forget(tx: EntityManager, subjectId: SubjectId): Promise<void> {
    const id = newId<'audit-event'>();
    const [forgotten] = await tx.query<{ entries: number; digest: string }[]>(
      'SELECT entries, digest FROM forget_audit_entries($1, $2)',
      [subjectId, id],
    );
    if (forgotten === undefined) throw new Error('the erasure of audit entries was not answered');
    const { entries, digest } = forgotten;
    await this.append(tx, { id, type: 'entries.forgotten', outcome: 'ok', details: { entries, digest } });
  }

  /**
   * Runs a decision; if it ends in a refusal, its transaction is gone, so the refusal is recorded in one of its
   * own before the error goes on. If even that fails, the caller gets that failure: no unrecorded decision.
   */
  async recordingRefusals<R>(
    event: Omit<AuditEventInput, 'outcome' | 'code'>,
    decide: () => Promise<R>,
  ): Promise<R> {
    try {
      return await decide();
    } catch (error) {
      if (error instanceof DomainError) {
        await this.append(this.db.manager, { ...event, outcome: 'refused', code: error.problem.code });
      }
      throw error;
    }
  }
}

function entryOf(event: AuditEventInput, at: string): Entry {
  const context = currentContext();
  return {
    id: event.id ?? newId<'audit-event'>(),
    at,
    type: event.type,
    outcome: event.outcome,
    code: event.code ?? null,
    clientId: event.clientId ?? context?.clientId ?? null,
    subjectId: event.subjectId ?? null,
    galleryId: event.galleryId ?? null,
    requestId: context?.requestId ?? null,
    ipHash: context?.ipHash ?? null,
    details: event.details ?? {},
  };
}

function rowOf(entry: Entry, salt: Buffer, commitment: Buffer): object {
  const { clientId, subjectId, galleryId, requestId, ipHash, ...same } = entry;
  return {
    ...same,
    client_id: clientId,
    subject_id: subjectId,
    gallery_id: galleryId,
    request_id: requestId,
    ip_hash: ipHash,
    // How PostgreSQL reads bytea.
    salt: `\\x${salt.toString('hex')}`,
    commitment: `\\x${commitment.toString('hex')}`,
  };
}
