import { AuditLog } from '#audit/audit-log';
import type { IncidentDutyId, IncidentId } from '#platform/ids';
import { SECURITY_LOG } from '#platform/logging';
import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Duty } from './incident.js';

const AT_ONCE = 100;

/** Says once that a duty is due within a day, and once that it is overdue. Answers how often. */
export class RemindDuties extends Command<number> {}

interface Reminder {
  readonly id: IncidentDutyId;
  readonly incidentId: IncidentId;
  readonly jurisdiction: string;
  readonly duty: Duty;
  readonly overdue: boolean;
}

@CommandHandler(RemindDuties)
export class RemindDutiesHandler implements ICommandHandler<RemindDuties> {
  private readonly logger = new Logger(SECURITY_LOG);

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute(): Promise<number> {
    let reminded = 0;
    for (let taken = AT_ONCE; taken === AT_ONCE; reminded += taken) {
      const reminders = await this.remindSome();
      for (const { duty, overdue } of reminders) {
        const message = overdue
          ? 'a duty of an incident is overdue'
          : 'a duty of an incident is due within a day';
        this.logger.warn({ message, code: duty });
      }
      taken = reminders.length;
    }
    return reminded;
  }

  private remindSome(): Promise<readonly Reminder[]> {
    return this.db.transaction(async (tx) => {
      const reminders = await tx.query<Reminder[]>(
        `SELECT id, incident_id AS "incidentId", jurisdiction, duty, due_at < now() AS overdue FROM incident_duty
         WHERE required AND met_at IS NULL AND overdue_at IS NULL
           AND (due_at < now() OR (reminded_at IS NULL AND due_at < now() + interval '24 hours'))
         ORDER BY id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED`,
      );
      for (const { id, incidentId, jurisdiction, duty, overdue } of reminders) {
        const column = overdue ? 'overdue_at' : 'reminded_at';
        await tx.query(`UPDATE incident_duty SET ${column} = now() WHERE id = $1`, [id]);
        await this.audit.append(tx, {
          type: overdue ? 'incident.duty_overdue' : 'incident.duty_due',
          outcome: 'ok',
          details: { incidentId, dutyId: id, jurisdiction, duty },
        });
      }
      return reminders;
    });
  }
}
