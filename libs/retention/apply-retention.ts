import { AuditLog } from '#audit/audit-log';
import { DestroyHeld } from '#biometrics/destroy-held';
import { EraseUnconsented } from '#biometrics/erase-unconsented';
import { ConsentInactivity } from '#consent/consent-inactivity';
import { ExpireConsents } from '#consent/expire-consents';
import { DestructionLedger, type RetentionRule } from '#consent/destruction-ledger';
import { LegalHolds } from '#consent/legal-holds';
import { SubjectErasure } from '#consent/subject-erasure';
import { LAST_SEEN } from '#consent/subject-presence';
import { type ClientId, type ConsentId, type DestructionId, newId, type SubjectId } from '#platform/ids';
import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { InactivityNotices } from './internal/inactivity-notices.js';
import { nextStep } from './internal/next-step.js';
import { ScheduleDestruction } from './schedule-destruction.js';
import { waitsForNotice } from './standing-in-the-way.js';

/** Destroys what is due, each in a transaction of its own; answers how much. Any number of workers may do it at once. */
export class ApplyRetention extends Command<number> {}

interface DueRow {
  readonly id: DestructionId;
  readonly client_id: ClientId;
  readonly subject_id: SubjectId;
  readonly consent_id: ConsentId | null;
  readonly rule: RetentionRule;
  readonly jurisdiction: string;
  readonly revision: number;
  readonly since: Date;
  readonly due_at: Date;
  /** `due_at` to the microsecond, which a Date lacks. */
  readonly place: string;
}

type Place = readonly [dueAt: string, id: string];
type Visit = { readonly place: Place; readonly destroyed: boolean } | undefined;

const START: Place = ['-infinity', '00000000-0000-0000-0000-000000000000'];

@CommandHandler(ApplyRetention)
export class ApplyRetentionHandler implements ICommandHandler<ApplyRetention> {
  constructor(
    private readonly db: DataSource,
    private readonly commands: CommandBus,
    private readonly notices: InactivityNotices,
    private readonly destructions: DestructionLedger,
    private readonly consents: ConsentInactivity,
    private readonly subjects: SubjectErasure,
    private readonly holds: LegalHolds,
    private readonly audit: AuditLog,
  ) {}

  async execute(): Promise<number> {
    await this.endLapsed();
    await this.notices.noteTold();
    await this.notices.give();
    const runId = newId<'retention-run'>();
    let destroyed = 0;
    let place = START;
    for (;;) {
      const from = place;
      const visit: Visit = await this.db.transaction((tx) => this.visitNext(tx, from, runId));
      if (visit === undefined) return destroyed;
      if (visit.destroyed) destroyed++;
      place = visit.place;
    }
  }

  /** The worker ends consents whose time is up before; a run that is asked for does what its dry run said. */
  private async endLapsed(): Promise<void> {
    const lapsed = await this.db.query<{ id: ConsentId }[]>(
      'SELECT id FROM consent WHERE ended_at IS NULL AND expires_at <= now() ORDER BY id',
    );
    if (lapsed.length === 0) return;
    await this.commands.execute(new ExpireConsents());
    for (const { id } of lapsed) {
      await this.db.transaction((tx) => this.commands.execute(new ScheduleDestruction(tx, id)));
    }
  }

  private async visitNext(tx: EntityManager, from: Place, runId: string): Promise<Visit> {
    // All that is kept of a person goes last: its end removes the entries about the rest.
    const [due] = await tx.query<DueRow[]>(
      `SELECT d.*, d.due_at::text AS place FROM destruction d JOIN subject s ON s.id = d.subject_id
       WHERE d.destroyed_at IS NULL AND d.due_at <= now() AND (d.due_at, d.id) > ($1, $2)
         AND (d.consent_id IS NOT NULL OR NOT EXISTS (SELECT FROM destruction o
           WHERE o.subject_id = d.subject_id AND o.consent_id IS NOT NULL AND o.destroyed_at IS NULL))
       ORDER BY d.due_at, d.id LIMIT 1 FOR UPDATE OF d, s SKIP LOCKED`,
      from,
    );
    if (due === undefined) return undefined;
    const place: Place = [due.place, due.id];
    return { place, destroyed: await this.carryOut(tx, due, runId) };
  }

  /** Answers whether it was destroyed. */
  private async carryOut(tx: EntityManager, due: DueRow, runId: string): Promise<boolean> {
    const { id, client_id: clientId, subject_id: subjectId, consent_id: consentId } = due;
    const now = new Date();
    switch (await this.stepOf(tx, due, now)) {
      case 'cancel':
        await this.destructions.cancelInactivity(tx, clientId, subjectId, consentId);
        return false;
      case 'end':
        if (consentId === null) return false;
        // The consent, galleries, the consent's version: as an erasure takes them, so that none waits for the other.
        await tx.query('SELECT FROM consent WHERE id = $1 FOR UPDATE', [consentId]);
        await this.commands.execute(new EraseUnconsented(tx, consentId, id));
        await this.consents.end(tx, consentId);
        return (await this.stepOf(tx, due, now)) === 'destroy' && this.destroy(tx, due, runId);
      case 'destroy':
        return this.destroy(tx, due, runId);
      default:
        return false;
    }
  }

  private async stepOf(tx: EntityManager, due: DueRow, now: Date): Promise<ReturnType<typeof nextStep>> {
    const { id, rule, since, due_at: dueAt, subject_id: subjectId, consent_id: consentId } = due;
    const [state] = await tx.query<{ last_seen: Date; consent_open: boolean; notice_waits: boolean }[]>(
      `SELECT ${LAST_SEEN} AS last_seen,
         EXISTS (SELECT FROM consent c WHERE c.id = $2 AND c.ended_at IS NULL) AS consent_open,
         (SELECT ${waitsForNotice('d')} FROM destruction d WHERE d.id = $3) AS notice_waits
       FROM subject s WHERE s.id = $1`,
      [subjectId, consentId, id],
    );
    if (state === undefined) throw new Error('a destruction without its subject');
    return nextStep(
      {
        rule,
        since,
        dueAt,
        destroyedAt: null,
        onHold: await this.holds.cover(tx, subjectId, consentId),
        consentOpen: state.consent_open,
        lastSeen: state.last_seen,
        noticeWaits: state.notice_waits,
      },
      now,
    );
  }

  private async destroy(tx: EntityManager, due: DueRow, runId: string): Promise<true> {
    const { id, client_id: clientId, subject_id: subjectId, consent_id: consentId } = due;
    const { rule, jurisdiction, revision } = due;
    // Of a consent that was withdrawn while its inactivity had a date, and whose message is still on its way.
    if (consentId !== null) await this.commands.execute(new EraseUnconsented(tx, consentId, id));
    const reason = consentId === null ? 'subject_erased' : 'consent_ended';
    const templates = await this.commands.execute(new DestroyHeld(tx, { id, clientId, subjectId }, reason));
    await tx.query('INSERT INTO retention_run (id) VALUES ($1) ON CONFLICT DO NOTHING', [runId]);
    await tx.query('UPDATE destruction SET destroyed_at = now(), templates = $2, run_id = $3 WHERE id = $1', [
      id,
      templates,
      runId,
    ]);
    await this.audit.append(tx, {
      type: 'data.destroyed',
      outcome: 'ok',
      clientId,
      // With the id it would be forgotten with the person's other entries.
      ...(consentId === null ? {} : { subjectId }),
      details: { destructionId: id, rule, jurisdiction, revision, templates },
    });
    if (consentId === null) await this.subjects.destroy(tx, subjectId);
    return true;
  }
}
