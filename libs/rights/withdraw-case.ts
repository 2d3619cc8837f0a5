import type { CaseId, ClientId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CaseLedger } from './internal/case-ledger.js';

/** The person takes the request back, or wants a restriction that was granted lifted. */
export class WithdrawCase extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly caseId: CaseId,
  ) {
    super();
  }
}

@CommandHandler(WithdrawCase)
export class WithdrawCaseHandler implements ICommandHandler<WithdrawCase> {
  constructor(private readonly ledger: CaseLedger) {}

  async execute({ clientId, caseId }: WithdrawCase): Promise<void> {
    await this.ledger.step(caseId, 'withdraw', clientId, async () => ({}));
  }
}
