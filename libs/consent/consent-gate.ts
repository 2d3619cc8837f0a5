import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConsentRequired, SubjectNotFound } from './consent.errors.js';

export interface ConsentChange {
  readonly subjectId: SubjectId;
  /** Until when the subject may be matched; null: without limit; a time in the past: not at all. */
  readonly validUntil: Date | null;
}

export interface ConsentChanges {
  readonly version: bigint;
  /** The database's time, by which expiry is judged. */
  readonly now: Date;
  readonly changes: readonly ConsentChange[];
}

const VALID = `c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp())`;

const NEVER = new Date(0);

/** For what must share a transaction with the consent that it rests on. */
@Injectable()
export class ConsentGate {
  /**
   * Throws unless `subjectId` is the client's and has a valid consent. Holds that consent until `tx` ends: a
   * withdrawal waits for what was decided before it, and what is decided after it sees it.
   */
  async require(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    purpose: string,
  ): Promise<ConsentId> {
    await this.requireSubject(tx, clientId, subjectId);
    const [consent] = await tx.query<{ id: ConsentId }[]>(
      `SELECT c.id FROM consent c WHERE c.subject_id = $1 AND c.purpose = $2 AND ${VALID} FOR SHARE`,
      [subjectId, purpose],
    );
    if (consent === undefined) throw new ConsentRequired();
    return consent.id;
  }

  /** Throws unless the subject exists, is this client's and has not been erased; holds it until `tx` ends. */
  async requireSubject(tx: EntityManager, clientId: ClientId, subjectId: SubjectId): Promise<void> {
    await this.lockSubject(tx, clientId, subjectId, 'FOR SHARE');
  }

  /** The same, keeping everybody else from relying on the subject until `tx` ends. */
  async holdSubject(tx: EntityManager, clientId: ClientId, subjectId: SubjectId): Promise<void> {
    await this.lockSubject(tx, clientId, subjectId, 'FOR UPDATE');
  }

  private async lockSubject(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    lock: 'FOR SHARE' | 'FOR UPDATE',
  ): Promise<void> {
    const found = await tx.query<unknown[]>(
      `SELECT 1 FROM subject WHERE id = $1 AND client_id = $2 AND erased_at IS NULL ${lock}`,
      [subjectId, clientId],
    );
    if (found.length === 0) throw new SubjectNotFound();
  }

  /** Which of these subjects have a valid consent, held until `tx` ends. */
  async stillConsenting(
    tx: EntityManager,
    subjectIds: readonly SubjectId[],
    purpose: string,
  ): Promise<ReadonlySet<SubjectId>> {
    if (subjectIds.length === 0) return new Set();
    const rows = await tx.query<{ subject_id: SubjectId }[]>(
      `SELECT c.subject_id FROM consent c
       WHERE c.subject_id = ANY($1) AND c.purpose = $2 AND ${VALID} ORDER BY c.id FOR SHARE`,
      [subjectIds, purpose],
    );
    return new Set(rows.map((row) => row.subject_id));
  }

  /** What changed for a client and purpose after `since`, in order; empty when nothing did. */
  async changesSince(
    tx: EntityManager,
    clientId: ClientId,
    purpose: string,
    since: bigint,
  ): Promise<ConsentChanges> {
    const [head] = await tx.query<{ now: Date; version: string | null }[]>(
      `SELECT clock_timestamp() AS now,
         (SELECT version FROM consent_version WHERE client_id = $1 AND purpose = $2) AS version`,
      [clientId, purpose],
    );
    if (head === undefined) throw new Error('the consent version was not returned');
    const version = BigInt(head.version ?? 0);
    if (version === since) return { version, now: head.now, changes: [] };
    const rows = await tx.query<
      { subject_id: SubjectId; ended: boolean; expires_at: Date | null; version: string }[]
    >(
      `SELECT subject_id, ended_at IS NOT NULL AS ended, expires_at, version
       FROM consent WHERE client_id = $1 AND purpose = $2 AND version > $3 ORDER BY version`,
      [clientId, purpose, since.toString()],
    );
    // Rows committed after the head was read belong to this answer too: the last of them is what is now held.
    const last = rows.at(-1);
    return {
      version: last === undefined ? version : BigInt(last.version),
      now: head.now,
      changes: rows.map((row) => ({
        subjectId: row.subject_id,
        validUntil: row.ended ? NEVER : row.expires_at,
      })),
    };
  }
}
