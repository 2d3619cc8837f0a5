import { ProcessingLimits } from '#consent/processing-limits';
import type { CaseId } from '#platform/ids';
import { Outbox } from '#platform/outbox';
import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EraseGranted } from './erase-granted.js';
import { CaseLedger } from './internal/case-ledger.js';
import { Nominee } from './internal/nominee.entity.js';
import { NomineeRequired } from './rights.errors.js';
import { erasureGranted } from './rights.events.js';

/**
 * Grants what was asked for. Erasure is carried out before the call returns, a consent that is objected to ends, a
 * restriction stays; what the client app does itself (handing over the export, correcting) is recorded.
 */
export class FulfilCase extends Command<void> {
  constructor(
    readonly caseId: CaseId,
    readonly answer?: string,
  ) {
    super();
  }
}

@CommandHandler(FulfilCase)
export class FulfilCaseHandler implements ICommandHandler<FulfilCase> {
  constructor(
    private readonly ledger: CaseLedger,
    private readonly limits: ProcessingLimits,
    private readonly outbox: Outbox,
    private readonly commands: CommandBus,
  ) {}

  async execute({ caseId, answer }: FulfilCase): Promise<void> {
    const { found: granted, erased: gone } = await this.ledger.step(
      caseId,
      'fulfil',
      undefined,
      async (tx, { found, erased }) => {
        const { clientId, subjectId, kind, purpose } = found;
        if (kind === 'nomination' && !erased && !(await tx.existsBy(Nominee, { subjectId })))
          throw new NomineeRequired();
        if (kind === 'objection' && !erased) await this.limits.end(tx, clientId, subjectId, purpose);
        if (kind === 'erasure' && !erased) await this.outbox.add(tx, erasureGranted(clientId, subjectId));
        return answer === undefined ? {} : { answer };
      },
    );
    if (granted.kind === 'erasure' && !gone) {
      await this.commands.execute(new EraseGranted(granted.clientId, granted.subjectId));
    }
  }
}
