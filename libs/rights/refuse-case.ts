import type { CaseId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CaseLedger } from './internal/case-ledger.js';
import type { RefusalReason } from './step-reasons.js';

export interface Refusal {
  readonly reason: RefusalReason;
  /** Of the law. */
  readonly article: string;
  readonly answer?: string;
}

/** What a case that is refused restricted is processed again (GDPR Art. 12(4): with reasons). */
export class RefuseCase extends Command<void> {
  constructor(
    readonly caseId: CaseId,
    readonly refusal: Refusal,
  ) {
    super();
  }
}

@CommandHandler(RefuseCase)
export class RefuseCaseHandler implements ICommandHandler<RefuseCase> {
  constructor(private readonly ledger: CaseLedger) {}

  async execute({ caseId, refusal }: RefuseCase): Promise<void> {
    await this.ledger.step(caseId, 'refuse', undefined, async () => refusal);
  }
}
