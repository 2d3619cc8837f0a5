import { currentContext } from '#platform/request-context';
import { DomainError } from '#platform/domain-error';
import { asId, type AuditEventId, type ClientId, type GalleryId, newId, type SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AuditEventType, type AuditOutcome } from './audit-event-types.js';
import { type Entry, entryTime, seal } from './internal/entry.js';
import { dropReceipts, noteReceipts, type Receipt, receiptOf } from './internal/receipts.js';

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
    noteReceipts(tx, await insert(tx, events, currentContext()));
  }

  /**
   * Removes what was recorded about somebody who is erased in `tx`, and records that it was removed: how many entries,
   * and the digest of their commitments, whose leaves stay. Not whose: the record has nothing of the request that erases,
   * and no receipt, which would join it to `subject.erased`. docs/adr/0025-forgetting-in-the-audit-log.md.
   */
  async forget(tx: EntityManager, subjectId: SubjectId): Promise<void> {
    const id = newId<'audit-event'>();
    const [forgotten] = await tx.query<{ entries: number; digest: string }[]>(
      'SELECT entries, digest FROM forget_audit_entries($1, $2)',
      [subjectId, id],
    );
    if (forgotten === undefined) throw new Error('the erasure of audit entries was not answered');
    const { entries, digest } = forgotten;
    await insert(
      tx,
      [{ id, type: 'entries.forgotten', outcome: 'ok', details: { entries, digest } }],
      undefined,
    );
    dropReceipts(tx, subjectId);
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

async function insert(
  tx: EntityManager,
  events: readonly AuditEventInput[],
  context: ReturnType<typeof currentContext>,
): Promise<Receipt[]> {
  if (events.length === 0) return [];
  const at = entryTime(new Date());
  const written = events.map((event) => {
    const entry = entryOf(event, at, context);
    return { entry, ...seal(entry, 1) };
  });
  await tx.query(
    `INSERT INTO audit_event (id, at, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash,
       details, salt, commitment)
     SELECT id, at, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash,
       details, salt, commitment
     FROM jsonb_populate_recordset(NULL::audit_event, $1)`,
    [JSON.stringify(written.map(({ entry, salt, commitment }) => rowOf(entry, salt, commitment)))],
  );
  return written.map(({ entry, commitment }) => ({
    text: receiptOf(commitment),
    // What an erasure forgets; its own record stays.
    about: entry.type === 'subject.erased' ? null : entry.subjectId,
  }));
}

function entryOf(event: AuditEventInput, at: string, context: ReturnType<typeof currentContext>): Entry {
  return {
    // In lower case, as the columns hand them back.
    id: asId(event.id ?? newId<'audit-event'>()),
    at,
    type: event.type,
    outcome: event.outcome,
    code: event.code ?? null,
    clientId: lowered(event.clientId ?? context?.clientId),
    subjectId: lowered(event.subjectId),
    galleryId: lowered(event.galleryId),
    requestId: context?.requestId ?? null,
    ipHash: context?.ipHash ?? null,
    details: {
      ...event.details,
      ...(context?.officerId === undefined ? {} : { officerId: context.officerId }),
    },
  };
}

function lowered(id: string | undefined): string | null {
  return id?.toLowerCase() ?? null;
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
