import type { SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AuditLog } from './audit-log.js';

const MOST_AT_ONCE = 1_000;

/**
 * Forgets the entries of people whom a version erased that could not: the one before this, which serves on while a new one
 * is deployed. Answers how many people.
 */
export class ForgetErased extends Command<number> {}

@CommandHandler(ForgetErased)
export class ForgetErasedHandler implements ICommandHandler<ForgetErased> {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
  ) {}

  async execute(): Promise<number> {
    const left = await this.db.query<{ id: SubjectId }[]>('SELECT subjects_left_in_audit_log($1) AS id', [
      MOST_AT_ONCE,
    ]);
    for (const { id } of left) await this.db.transaction((tx) => this.audit.forget(tx, id));
    return left.length;
  }
}
