import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** Forgets revocations of tokens that have expired anyway; answers how many. */
export class ForgetExpiredTokens extends Command<number> {}

@CommandHandler(ForgetExpiredTokens)
export class ForgetExpiredTokensHandler implements ICommandHandler<ForgetExpiredTokens> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<number> {
    // TypeORM answers DELETE as [rows, count]. An hour covers clocks that differ.
    const [, forgotten] = await this.db.query<[unknown[], number]>(
      `DELETE FROM revoked_token WHERE expires_at < now() - interval '1 hour'`,
    );
    return forgotten;
  }
}
