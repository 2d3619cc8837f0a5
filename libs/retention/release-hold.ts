import { AuditLog } from '#audit/audit-log';
import type { ClientId, HoldId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { HoldNotFound } from './retention.errors.js';

/** What was kept is due again; releasing twice is no error. */
export class ReleaseHold extends Command<void> {
  constructor(readonly holdId: HoldId) {
    super();
  }
}

interface HeldRow {
  readonly subject_id: SubjectId;
  readonly client_id: ClientId;
  readonly released_at: Date | null;
}

@CommandHandler(ReleaseHold)
export class ReleaseHoldHandler implements ICommandHandler<ReleaseHold> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  execute({ holdId }: ReleaseHold): Promise<void> {
    return this.db.transaction(async (tx) => {
      const [hold] = await tx.query<HeldRow[]>(
        `SELECT h.subject_id, s.client_id, h.released_at FROM legal_hold h JOIN subject s ON s.id = h.subject_id
         WHERE h.id = $1 FOR UPDATE OF h`,
        [holdId],
      );
      if (hold === undefined) throw new HoldNotFound();
      if (hold.released_at !== null) return;
      await tx.query('UPDATE legal_hold SET released_at = now() WHERE id = $1', [holdId]);
      const { subject_id: subjectId, client_id: clientId } = hold;
      const details = { holdId };
      await this.audit.append(tx, { type: 'hold.released', outcome: 'ok', clientId, subjectId, details });
    });
  }
}
