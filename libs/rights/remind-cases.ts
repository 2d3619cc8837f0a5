import { AuditLog } from '#audit/audit-log';
import type { CaseId, ClientId, SubjectId } from '#platform/ids';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { OPEN_STATES } from './case-state.js';

const AT_ONCE = 100;

type Reminder = 'due_in_7_days' | 'due_in_1_day' | 'overdue';

interface DueCase {
  readonly id: CaseId;
  readonly client_id: ClientId;
  readonly subject_id: SubjectId | null;
  readonly kind: string;
  readonly due_at: Date;
  readonly reminder: Reminder;
}

/** Tells, once each, of cases that are due in a week, in a day, or overdue. Answers how many times it told. */
export class RemindCases extends Command<number> {}

@CommandHandler(RemindCases)
export class RemindCasesHandler implements ICommandHandler<RemindCases> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    private readonly webhooks: WebhookOutbox,
  ) {}

  async execute(): Promise<number> {
    let told = 0;
    for (let taken = AT_ONCE; taken === AT_ONCE; told += taken) taken = await this.remindSome();
    return told;
  }

  private remindSome(): Promise<number> {
    return this.db.transaction(async (tx) => {
      // Of what has been missed the most pressing is told alone.
      const due = await tx.query<DueCase[]>(
        `SELECT c.id, c.client_id, c.kind, c.due_at, r.reminder,
           CASE WHEN s.erased_at IS NULL THEN c.subject_id END AS subject_id
         FROM rights_case c JOIN subject s ON s.id = c.subject_id
           CROSS JOIN LATERAL (SELECT CASE WHEN c.due_at <= now() THEN 'overdue'
             WHEN c.due_at <= now() + interval '1 day' THEN 'due_in_1_day' ELSE 'due_in_7_days' END AS reminder) r
         WHERE c.state = ANY($1) AND c.due_at <= now() + interval '7 days'
           AND NOT EXISTS (SELECT FROM case_reminder k
             WHERE k.case_id = c.id AND k.kind = r.reminder AND k.due_at = c.due_at)
         ORDER BY c.due_at LIMIT ${AT_ONCE} FOR UPDATE OF c SKIP LOCKED`,
        [OPEN_STATES],
      );
      for (const { id: caseId, client_id, subject_id, kind, due_at, reminder } of due) {
        const first = await tx.query<unknown[]>(
          `INSERT INTO case_reminder (case_id, kind, due_at)
           SELECT id, $2, due_at FROM rights_case WHERE id = $1 ON CONFLICT DO NOTHING RETURNING case_id`,
          [caseId, reminder],
        );
        // Another worker told of it after this one began to look.
        if (first.length === 0) continue;
        await this.audit.append(tx, {
          type: 'case.due',
          outcome: 'ok',
          clientId: client_id,
          ...(subject_id === null ? {} : { subjectId: subject_id }),
          details: { caseId, kind, reminder },
        });
        const data = { caseId, kind, reminder, dueAt: due_at.toISOString() };
        await this.webhooks.announce(tx, client_id, { type: 'case.due', at: new Date(), data });
      }
      return due.length;
    });
  }
}
