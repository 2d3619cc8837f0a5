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
    const context = currentContext();
    await tx.query(
      `INSERT INTO audit_event (id, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash, details)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        newId<'audit-event'>(),
        event.type,
        event.outcome,
        event.code ?? null,
        event.clientId ?? context?.clientId ?? null,
        event.subjectId ?? null,
        event.galleryId ?? null,
        context?.requestId ?? null,
        context?.ipHash ?? null,
        JSON.stringify(event.details ?? {}),
      ],
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
