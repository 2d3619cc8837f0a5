import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, IsNull, LessThanOrEqual } from 'typeorm';
import { ConsentLedger } from './internal/consent-ledger.js';
import { Consent } from './internal/consent.entity.js';

const AT_ONCE = 500;

/** Records the end of consents whose time is up; they stopped counting when it was. Answers how many. */
export class ExpireConsents extends Command<number> {}

@CommandHandler(ExpireConsents)
export class ExpireConsentsHandler implements ICommandHandler<ExpireConsents> {
  constructor(
    private readonly db: DataSource,
    private readonly ledger: ConsentLedger,
  ) {}

  async execute(): Promise<number> {
    let ended = 0;
    for (let taken = AT_ONCE; taken === AT_ONCE; ended += taken) taken = await this.endSome();
    return ended;
  }

  private endSome(): Promise<number> {
    return this.db.transaction(async (tx) => {
      const now = new Date();
      const due = await tx.find(Consent, {
        where: { endedAt: IsNull(), expiresAt: LessThanOrEqual(now) },
        order: { clientId: 'ASC', purpose: 'ASC', id: 'ASC' },
        take: AT_ONCE,
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      for (const consent of due) await this.ledger.end(tx, consent, 'expired', now);
      return due.length;
    });
  }
}
