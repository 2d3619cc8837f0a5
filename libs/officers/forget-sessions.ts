import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** Forgets sessions that nobody can go on with, and failed logins that count no more; the audit log keeps what happened. */
export class ForgetSessions extends Command<number> {}

@CommandHandler(ForgetSessions)
export class ForgetSessionsHandler implements ICommandHandler<ForgetSessions> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<number> {
    const [, sessions] = await this.db.query<[unknown[], number]>(
      `DELETE FROM officer_session WHERE expires_at < now() - interval '1 day'`,
    );
    const [, attempts] = await this.db.query<[unknown[], number]>(
      `DELETE FROM officer_login_attempt WHERE coalesce(failed_at, '-infinity') < now() - interval '2 days'`,
    );
    return sessions + attempts;
  }
}
