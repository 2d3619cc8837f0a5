import { AuditLog } from '#audit/audit-log';
import { DestructionLedger } from '#consent/destruction-ledger';
import { LAST_SEEN } from '#consent/subject-presence';
import type { ClientId, ConsentId, SubjectId } from '#platform/ids';
import { Policies, type Policy } from '#policy/policies';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inactivityEnds } from './next-step.js';

const AT_ONCE = 200;
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface Absent {
  readonly id: SubjectId;
  readonly client_id: ClientId;
  readonly last_seen: Date;
  readonly consents: readonly ConsentId[];
}

/** Open consents of a person `s` that have no date yet. */
const OPEN_CONSENTS = `SELECT c.id FROM consent c WHERE c.subject_id = s.id AND c.ended_at IS NULL
  AND NOT EXISTS (SELECT FROM destruction d WHERE d.consent_id = c.id)`;

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
      let last: string | undefined = NO_ID;
      while (last !== undefined) {
        const from: string = last;
        last = await this.db.transaction((tx) => this.giveSome(tx, policy, from));
      }
    }
  }

  /** Answers where to go on; undefined: there are no more. */
  private async giveSome(tx: EntityManager, policy: Policy, from: string): Promise<string | undefined> {
    const { value: inactivity } = policy.document.retention.inactivity;
    const { value: noticeBeforeErasure } = policy.document.retention.noticeBeforeErasure;
    if (inactivity === null) return undefined;
    // Some days too many, since months differ: the dates decide.
    const people = await tx.query<{ id: SubjectId }[]>(
      `SELECT s.id FROM subject s WHERE s.jurisdiction = $1 AND s.erased_at IS NULL AND s.id > $2
         AND s.last_seen_at < now() - $3::interval + $4::interval + interval '5 days'
         AND EXISTS (${OPEN_CONSENTS})
       ORDER BY s.id LIMIT ${AT_ONCE} FOR UPDATE OF s SKIP LOCKED`,
      [policy.jurisdiction, from, inactivity, noticeBeforeErasure ?? 'P0D'],
    );
    // Read again under their locks: they may just have come back.
    const absent = await tx.query<Absent[]>(
      `SELECT s.id, s.client_id, ${LAST_SEEN} AS last_seen, array(${OPEN_CONSENTS}) AS consents
       FROM subject s WHERE s.id = ANY($1) ORDER BY s.id`,
      [people.map(({ id }) => id)],
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
