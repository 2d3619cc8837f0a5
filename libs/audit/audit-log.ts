import { currentContext } from '#platform/request-context';
import { DomainError } from '#platform/domain-error';
import { type ClientId, type GalleryId, newId, type SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AuditEventType, type AuditOutcome } from './audit-event-types.js';

export interface AuditEventInput {
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
    const context = currentContext();
    const rows = events.map((event) => ({
      id: newId<'audit-event'>(),
      type: event.type,
      outcome: event.outcome,
      code: event.code,
      client_id: event.clientId ?? context?.clientId,
      subject_id: event.subjectId,
      gallery_id: event.galleryId,
      request_id: context?.requestId,
      ip_hash: context?.ipHash,
      details: event.details ?? {},
    }));
    await tx.query(
      `INSERT INTO audit_event (id, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash, details)
       SELECT id, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash, details
       FROM jsonb_populate_recordset(NULL::audit_event, $1)`,
      [JSON.stringify(rows)],
    );
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
