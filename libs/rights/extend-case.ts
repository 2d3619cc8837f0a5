import type { CaseId } from '#platform/ids';
import { after } from '#policy/duration';
import { Policies } from '#policy/policies';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { nextState } from './case-state.js';
import { CaseLedger } from './internal/case-ledger.js';
import { CaseStepImpossible, ExtensionNotProvided, ExtensionTooLate } from './rights.errors.js';
import type { ExtensionReason } from './step-reasons.js';

/** Once, and before it is due: the person is told of it within the first time (GDPR Art. 12(3)). */
export class ExtendCase extends Command<void> {
  constructor(
    readonly caseId: CaseId,
    readonly reason: ExtensionReason,
  ) {
    super();
  }
}

@CommandHandler(ExtendCase)
export class ExtendCaseHandler implements ICommandHandler<ExtendCase> {
  constructor(
    private readonly ledger: CaseLedger,
    private readonly policies: Policies,
  ) {}

  async execute({ caseId, reason }: ExtendCase): Promise<void> {
    await this.ledger.step(caseId, 'extend', undefined, async (tx, { found }) => {
      const { kind, state, jurisdiction, dueAt } = found;
      if (nextState(kind, state, 'extend') === undefined) throw new CaseStepImpossible();
      if (dueAt <= new Date()) throw new ExtensionTooLate();
      const { document } = await this.policies.current(tx, jurisdiction);
      const extension = document.rights[kind]?.value.extension ?? null;
      if (extension === null) throw new ExtensionNotProvided();
      return { reason, dueAt: after(dueAt, extension) };
    });
  }
}
