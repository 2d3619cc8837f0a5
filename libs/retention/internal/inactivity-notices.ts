import { AuditLog } from '#audit/audit-log';
import { DestructionLedger } from '#consent/destruction-ledger';
import { LAST_SEEN } from '#consent/subject-presence';
import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Policies, type Policy } from '#policy/policies';
import { purposesApart, retentionFor, type RetentionRules } from '#policy/retention-rules';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inactivityEnds, type InactivityRules } from './next-step.js';

const AT_ONCE = 200;
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface Absent {
  readonly id: SubjectId;
  readonly client_id: ClientId;
  readonly last_seen: Date;
  readonly consents: readonly ConsentId[];
}

const DELIVERED = `w.type = 'retention.notice_due' AND w.state = 'delivered'`;

/** That of this date and not one of before: the person may have come back in between. */
const OF_NOTICE = `w.body::jsonb -> 'data' ->> 'subjectId' = d.subject_id::text
  AND (w.body::jsonb ->> 'timestamp')::timestamptz = d.noticed_at`;

/** Purposes that have one rule: `only` it, or all `but` those that have rules of their own. */
interface Purposes {
  readonly only: string | null;
  readonly but: readonly string[];
}

/** Open consents of a person `s`, for such purposes, that have no date yet. */
function openConsents(only: string, but: string): string {
  return `SELECT c.id FROM consent c WHERE c.subject_id = s.id AND c.ended_at IS NULL
    AND (c.purpose = ${only} OR ${only} IS NULL AND c.purpose <> ALL (${but}))
    AND NOT EXISTS (SELECT FROM destruction d WHERE d.consent_id = c.id)`;
}

/** Gives a date to the data of people who have been away, and tells their clients where the policy asks for it. */
@Injectable()
export class InactivityNotices {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
    private readonly destructions: DestructionLedger,
    private readonly webhooks: WebhookOutbox,
    private readonly audit: AuditLog,
  ) {}

  async give(): Promise<void> {
    for (const policy of await this.policies.all(this.db.manager)) {
      const apart = purposesApart(policy.document.retention).map(([purpose]) => purpose);
      await this.giveAll(policy, policy.document.retention, { only: null, but: apart });
      for (const only of apart) {
        await this.giveAll(policy, retentionFor(policy.document.retention, only), { only, but: [] });
      }
    }
  }

  /** Writes down which notices a receiver has accepted, before their deliveries are forgotten. */
  async noteTold(): Promise<void> {
    await this.db.query(
      `UPDATE destruction d SET told_at = (
         SELECT min(w.ended_at) FROM webhook_delivery w WHERE ${DELIVERED} AND ${OF_NOTICE})
       WHERE d.id IN (
         SELECT d.id FROM destruction d WHERE d.noticed_at IS NOT NULL AND d.told_at IS NULL AND d.destroyed_at IS NULL
           AND EXISTS (SELECT FROM webhook_delivery w WHERE ${DELIVERED} AND ${OF_NOTICE})
         ORDER BY d.id FOR UPDATE OF d SKIP LOCKED)`,
    );
  }

  private async giveAll(policy: Policy, rules: RetentionRules, purposes: Purposes): Promise<void> {
    const { inactivity, noticeBeforeErasure } = rules;
    if (inactivity.value === null) return;
    const times = { inactivity: inactivity.value, noticeBeforeErasure: noticeBeforeErasure.value };
    let last: string | undefined = NO_ID;
    while (last !== undefined) {
      const from: string = last;
      last = await this.db.transaction((tx) => this.giveSome(tx, policy, times, purposes, from));
    }
  }

  /** Answers where to go on; undefined: there are no more. */
  private async giveSome(
    tx: EntityManager,
    policy: Policy,
    { inactivity, noticeBeforeErasure }: InactivityRules,
    { only, but }: Purposes,
    from: string,
  ): Promise<string | undefined> {
    // Some days too many, since months differ: the dates decide.
    const people = await tx.query<{ id: SubjectId }[]>(
      `SELECT s.id FROM subject s WHERE s.jurisdiction = $1 AND s.erased_at IS NULL AND s.id > $2
         AND s.last_seen_at < now() - $3::interval + $4::interval + interval '5 days'
         AND EXISTS (${openConsents('$5::text', '$6::text[]')})
       ORDER BY s.id LIMIT ${AT_ONCE} FOR UPDATE OF s SKIP LOCKED`,
      [policy.jurisdiction, from, inactivity, noticeBeforeErasure ?? 'P0D', only, but],
    );
    // Read again under their locks: they may just have come back.
    const absent = await tx.query<Absent[]>(
      `SELECT s.id, s.client_id, ${LAST_SEEN} AS last_seen, array(${openConsents('$2::text', '$3::text[]')}) AS consents
       FROM subject s WHERE s.id = ANY($1) ORDER BY s.id`,
      [people.map(({ id }) => id), only, but],
    );
    const now = new Date();
    for (const person of absent) {
      const dueAt = inactivityEnds(person.last_seen, { inactivity, noticeBeforeErasure }, now);
      if (dueAt !== undefined)
        await this.date(tx, policy, person, dueAt, noticeBeforeErasure !== null && now);
    }
    return people.length === AT_ONCE ? people.at(-1)?.id : undefined;
  }

  private async date(
    tx: EntityManager,
    { jurisdiction, revision }: Policy,
    { id: subjectId, client_id: clientId, last_seen: since, consents }: Absent,
    dueAt: Date,
    noticedAt: Date | false,
  ): Promise<void> {
    for (const consentId of consents) {
      await this.destructions.schedule(tx, {
        clientId,
        subjectId,
        consentId,
        rule: 'inactivity',
        jurisdiction,
        revision,
        since,
        dueAt,
        ...(noticedAt !== false && { noticedAt }),
      });
    }
    if (noticedAt === false) return;
    const destroyAfter = dueAt.toISOString();
    await this.webhooks.announce(tx, clientId, {
      type: 'retention.notice_due',
      at: noticedAt,
      data: { subjectId, destroyAfter },
    });
    await this.audit.append(tx, {
      type: 'retention.notice_due',
      outcome: 'ok',
      clientId,
      subjectId,
      details: { destroyAfter, consents: consents.length },
    });
  }
}
