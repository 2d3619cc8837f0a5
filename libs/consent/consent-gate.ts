import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConsentRequired, ProcessingRestricted, SubjectNotFound } from './consent.errors.js';
import { OVER, VALID } from './internal/consent-standing.js';

export interface ConsentChange {
  readonly consentId: ConsentId;
  /** Until when what rests on it may be matched; null: without limit. What ended by a restriction may come back. */
  readonly validUntil: Date | null | 'ended';
}

export interface ConsentChanges {
  readonly version: bigint;
  /** The database's time, by which expiry is judged. */
  readonly now: Date;
  readonly changes: readonly ConsentChange[];
}

/** For what must share a transaction with the consent that it rests on. */
@Injectable()
export class ConsentGate {
  /**
   * Throws unless `subjectId` is the client's and has a valid consent. Holds that consent until `tx` ends: a
   * withdrawal waits for what was decided before it, and what is decided after it sees it.
   */
  require(tx: EntityManager, clientId: ClientId, subjectId: SubjectId, purpose: string): Promise<ConsentId> {
    return this.validConsent(tx, clientId, subjectId, purpose, 'FOR SHARE OF s, c');
  }

  /** The same without holding it, to refuse early: whoever decides on it MUST require it again. */
  check(tx: EntityManager, clientId: ClientId, subjectId: SubjectId, purpose: string): Promise<ConsentId> {
    return this.validConsent(tx, clientId, subjectId, purpose, '');
  }

  private async validConsent(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    purpose: string,
    lock: 'FOR SHARE OF s, c' | '',
  ): Promise<ConsentId> {
    const [consent] = await tx.query<{ id: ConsentId }[]>(
      `SELECT c.id FROM subject s JOIN consent c ON c.subject_id = s.id
       WHERE s.id = $1 AND s.client_id = $2 AND s.erased_at IS NULL AND c.purpose = $3 AND ${VALID} ${lock}`,
      [subjectId, clientId, purpose],
    );
    if (consent !== undefined) return consent.id;
    const { restricted } = await this.lockSubject(tx, clientId, subjectId, '');
    throw restricted ? new ProcessingRestricted() : new ConsentRequired();
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
    lock: 'FOR SHARE' | 'FOR UPDATE' | '',
  ): Promise<{ restricted: boolean }> {
    const [found] = await tx.query<{ restricted: boolean }[]>(
      `SELECT restricted_at IS NOT NULL AS restricted FROM subject
       WHERE id = $1 AND client_id = $2 AND erased_at IS NULL ${lock}`,
      [subjectId, clientId],
    );
    if (found === undefined) throw new SubjectNotFound();
    return found;
  }

  /** The same for many subjects: those of the client's that exist, each with its valid consent if it has one. */
  async validConsents(
    tx: EntityManager,
    clientId: ClientId,
    subjectIds: readonly SubjectId[],
    purpose: string,
  ): Promise<ReadonlyMap<SubjectId, ConsentId | 'restricted' | undefined>> {
    const subjects = await tx.query<{ id: SubjectId; restricted: boolean }[]>(
      `SELECT id, restricted_at IS NOT NULL AS restricted FROM subject WHERE id = ANY($1) AND client_id = $2 AND erased_at IS NULL ORDER BY id FOR SHARE`,
      [subjectIds, clientId],
    );
    const consents = await tx.query<{ id: ConsentId; subject_id: SubjectId }[]>(
      `SELECT c.id, c.subject_id FROM consent c
       WHERE c.subject_id = ANY($1) AND c.client_id = $2 AND c.purpose = $3 AND ${VALID} ORDER BY c.id FOR SHARE`,
      [subjectIds, clientId, purpose],
    );
    const bySubject = new Map(consents.map(({ id, subject_id }) => [subject_id, id]));
    return new Map(
      subjects.map(({ id, restricted }) => [id, restricted ? ('restricted' as const) : bySubject.get(id)]),
    );
  }

  /** Which of these consents are valid, held until `tx` ends. */
  stillValid(tx: EntityManager, consentIds: readonly ConsentId[]): Promise<ReadonlySet<ConsentId>> {
    return this.validAmong(tx, consentIds, 'ORDER BY c.id FOR SHARE');
  }

  /** The same without holding them: whoever decides on it MUST ask whether they are stillValid. */
  validNow(tx: EntityManager, consentIds: readonly ConsentId[]): Promise<ReadonlySet<ConsentId>> {
    return this.validAmong(tx, consentIds, '');
  }

  private async validAmong(
    tx: EntityManager,
    consentIds: readonly ConsentId[],
    lock: 'ORDER BY c.id FOR SHARE' | '',
  ): Promise<ReadonlySet<ConsentId>> {
    if (consentIds.length === 0) return new Set();
    const rows = await tx.query<{ id: ConsentId }[]>(
      `SELECT c.id FROM consent c WHERE c.id = ANY($1) AND ${VALID} ${lock}`,
      [consentIds],
    );
    return new Set(rows.map(({ id }) => id));
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
      { id: ConsentId; ended: boolean; expires_at: Date | null; version: string }[]
    >(
      `SELECT c.id, c.ended_at IS NOT NULL OR c.suspended_at IS NOT NULL OR ${OVER} AS ended, c.expires_at, c.version
       FROM consent c WHERE c.client_id = $1 AND c.purpose = $2 AND c.version > $3 ORDER BY c.version`,
      [clientId, purpose, since.toString()],
    );
    // Rows committed after the head was read belong to this answer too: the last of them is what is now held.
    const last = rows.at(-1);
    return {
      version: last === undefined ? version : BigInt(last.version),
      now: head.now,
      changes: rows.map((row) => ({
        consentId: row.id,
        validUntil: row.ended ? 'ended' : row.expires_at,
      })),
    };
  }
}
