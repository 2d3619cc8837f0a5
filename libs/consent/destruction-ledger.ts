import { AuditLog } from '#audit/audit-log';
import { type ClientId, type ConsentId, type DestructionId, newId, type SubjectId } from '#platform/ids';
import { after } from '#policy/duration';
import { Policies } from '#policy/policies';
import { retentionFor } from '#policy/retention-rules';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LegalHolds } from './legal-holds.js';

/** Members of a policy's `retention` that give a date. */
export const RETENTION_RULES = ['afterEnd', 'afterErasureRequest', 'inactivity'] as const;
export type RetentionRule = (typeof RETENTION_RULES)[number];

/** Something that is held until its date: what was made under a consent, or all that is kept of a person. */
export interface Destruction {
  readonly id: DestructionId;
  readonly dueAt: Date;
}

interface NewDestruction {
  readonly clientId: ClientId;
  readonly subjectId: SubjectId;
  readonly consentId: ConsentId | null;
  readonly rule: RetentionRule;
  readonly jurisdiction: string;
  readonly revision: number;
  readonly since: Date;
  readonly dueAt: Date;
  readonly noticedAt?: Date;
}

interface EndedConsent {
  readonly client_id: ClientId;
  readonly subject_id: SubjectId;
  readonly purpose: string;
  readonly jurisdiction: string;
  readonly erased: boolean;
  readonly ended_at: Date;
}

/**
 * The dates on which data is destroyed, each written down with the policy that it came from: a later revision moves none.
 * Every method holds the person's row until `tx` ends, as whoever places a hold does.
 */
@Injectable()
export class DestructionLedger {
  constructor(
    private readonly policies: Policies,
    private readonly holds: LegalHolds,
    private readonly audit: AuditLog,
  ) {}

  /** Of what was made under a consent that has ended; undefined: nothing keeps it, it is to be destroyed now. */
  async ofConsent(tx: EntityManager, consentId: ConsentId, endedAt?: Date): Promise<Destruction | undefined> {
    const [consent] = await tx.query<EndedConsent[]>(
      `SELECT c.client_id, c.subject_id, c.purpose, s.jurisdiction, s.erased_at IS NOT NULL AS erased,
              least(c.ended_at, c.expires_at) AS ended_at
       FROM consent c JOIN subject s ON s.id = c.subject_id
       WHERE c.id = $1 AND c.ended_at IS NOT NULL AND EXISTS (SELECT FROM template t WHERE t.consent_id = c.id)
       FOR UPDATE OF s`,
      [consentId],
    );
    if (consent === undefined) return undefined;
    const { client_id: clientId, subject_id: subjectId, jurisdiction } = consent;
    if (consent.erased) return this.pendingOfPerson(tx, subjectId);
    await this.cancelInactivity(tx, clientId, subjectId, consentId);
    const { document, revision } = await this.policies.current(tx, jurisdiction);
    const since = endedAt ?? consent.ended_at;
    const dueAt = after(since, retentionFor(document.retention, consent.purpose).afterEnd.value);
    if (dueAt <= new Date() && !(await this.holds.cover(tx, subjectId, consentId))) return undefined;
    const rule = 'afterEnd';
    return this.schedule(tx, { clientId, subjectId, consentId, rule, jurisdiction, revision, since, dueAt });
  }

  /** Of a person who was erased before and whose data is held: erasing once more moves no date. */
  async heldPerson(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
  ): Promise<Destruction | undefined> {
    const found = await tx.query<unknown[]>(
      'SELECT 1 FROM subject WHERE id = $1 AND client_id = $2 FOR UPDATE',
      [subjectId, clientId],
    );
    return found.length === 0 ? undefined : this.pendingOfPerson(tx, subjectId);
  }

  /** Of a person who asked to be erased at `since`; undefined: nothing keeps anything, it is to be destroyed now. */
  async ofPerson(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    since: Date,
  ): Promise<Destruction | undefined> {
    await holdOpenConsents(tx, subjectId);
    await this.cancelInactivity(tx, clientId, subjectId, null);
    const [person] = await tx.query<{ jurisdiction: string; latest: Date | null }[]>(
      `SELECT s.jurisdiction, (SELECT max(d.due_at) FROM destruction d
         WHERE d.subject_id = s.id AND d.destroyed_at IS NULL) AS latest
       FROM subject s WHERE s.id = $1 FOR UPDATE OF s`,
      [subjectId],
    );
    if (person === undefined) return undefined;
    const { jurisdiction, latest } = person;
    const { document, revision } = await this.policies.current(tx, jurisdiction);
    const due = after(since, document.retention.afterErasureRequest.value);
    if (latest === null && due <= new Date() && !(await this.holds.cover(tx, subjectId, null)))
      return undefined;
    // What the law keeps of an earlier consent is not destroyed early because the person asks for more.
    const dueAt = latest !== null && latest > due ? latest : due;
    const rule = 'afterErasureRequest';
    const all = { clientId, subjectId, consentId: null, rule, jurisdiction, revision, since, dueAt } as const;
    return this.schedule(tx, all);
  }

  async schedule(tx: EntityManager, destruction: NewDestruction): Promise<Destruction> {
    const { clientId, subjectId, consentId, rule, jurisdiction, revision, since, dueAt } = destruction;
    const id = newId<'destruction'>();
    await tx.query(
      `INSERT INTO destruction (id, client_id, subject_id, consent_id, rule, jurisdiction, revision, since, due_at, noticed_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        id,
        clientId,
        subjectId,
        consentId,
        rule,
        jurisdiction,
        revision,
        since,
        dueAt,
        destruction.noticedAt ?? null,
      ],
    );
    await this.audit.append(tx, {
      type: 'destruction.scheduled',
      outcome: 'ok',
      clientId,
      subjectId,
      details: {
        destructionId: id,
        rule,
        jurisdiction,
        revision,
        destroyAfter: dueAt.toISOString(),
        ...(consentId === null ? {} : { consentId }),
      },
    });
    return { id, dueAt };
  }

  /** The person came back, or another rule has taken over; without a consent, of all of the person's. */
  async cancelInactivity(
    tx: EntityManager,
    clientId: ClientId,
    subjectId: SubjectId,
    consentId: ConsentId | null,
  ): Promise<void> {
    const [cancelled] = await tx.query<[{ id: DestructionId }[], number]>(
      `DELETE FROM destruction d WHERE subject_id = $1 AND ($2::uuid IS NULL OR consent_id = $2)
         AND rule = 'inactivity' AND destroyed_at IS NULL
         AND NOT EXISTS (SELECT FROM held_template t WHERE t.destruction_id = d.id) RETURNING id`,
      [subjectId, consentId],
    );
    await this.audit.appendAll(
      tx,
      cancelled.map(({ id: destructionId }) => ({
        type: 'destruction.cancelled',
        outcome: 'ok',
        clientId,
        subjectId,
        details: { destructionId },
      })),
    );
  }

  private async pendingOfPerson(tx: EntityManager, subjectId: SubjectId): Promise<Destruction | undefined> {
    const [pending] = await tx.query<{ id: DestructionId; due_at: Date }[]>(
      `SELECT id, due_at FROM destruction
       WHERE subject_id = $1 AND consent_id IS NULL AND destroyed_at IS NULL`,
      [subjectId],
    );
    return pending && { id: pending.id, dueAt: pending.due_at };
  }
}

/**
 * Consents before the galleries, in the order of all who lock several: an enrolment holds its consent while it waits for a
 * gallery, and a notice that asks for renewal holds many.
 */
async function holdOpenConsents(tx: EntityManager, subjectId: SubjectId): Promise<void> {
  await tx.query('SELECT FROM consent WHERE subject_id = $1 AND ended_at IS NULL ORDER BY id FOR UPDATE', [
    subjectId,
  ]);
}
