import type { CaseId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CaseLedger } from './internal/case-ledger.js';

/** An officer asks who it is that asks (GDPR Art. 12(6)), takes the case up, or lifts a restriction (Art. 18(3)). */
export class AdvanceCase extends Command<void> {
  constructor(
    readonly caseId: CaseId,
    readonly step: 'check_identity' | 'take_up' | 'lift',
  ) {
    super();
  }
}

@CommandHandler(AdvanceCase)
export class AdvanceCaseHandler implements ICommandHandler<AdvanceCase> {
  constructor(private readonly ledger: CaseLedger) {}

  async execute({ caseId, step }: AdvanceCase): Promise<void> {
    await this.ledger.step(caseId, step, undefined, async () => ({}));
  }
}
