import { AuditLog } from '#audit/audit-log';
import { InsufficientScope } from '#auth/auth.errors';
import { OfficerDirectory } from '#officers/officer-directory';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { newId, type OfficerId } from '#platform/ids';
import { InvalidRequest } from '#platform/platform.errors';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ProposalKinds } from './proposal-kinds.js';

const LIFETIME_HOURS = 72;

export class MakeProposal extends Command<Created<'proposal'>> {
  constructor(
    readonly officerId: OfficerId,
    readonly kind: string,
    readonly payload: object,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(MakeProposal)
export class MakeProposalHandler implements ICommandHandler<MakeProposal> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly kinds: ProposalKinds,
    private readonly officers: OfficerDirectory,
    private readonly audit: AuditLog,
  ) {}

  execute({ officerId, kind: name, payload, idempotency }: MakeProposal): Promise<Created<'proposal'>> {
    const kind = this.kinds.get(name);
    if (kind === undefined) throw new InvalidRequest([{ field: 'kind', message: 'is not known' }]);
    return this.audit.recordingRefusals({ type: 'proposal.made', details: { kind: name } }, () =>
      this.idempotency.transaction(idempotency, async (tx) => {
        const allowed = await this.officers.holdAllowed(tx, [officerId], kind.scopes);
        if (!allowed.has(officerId)) throw new InsufficientScope();
        const id = newId<'proposal'>();
        await tx.query(
          `INSERT INTO proposal (id, kind, payload, basis, proposed_by, expires_at)
           VALUES ($1, $2, $3, $4, $5, now() + make_interval(hours => $6))`,
          [id, name, JSON.stringify(payload), await kind.basis(tx, payload), officerId, LIFETIME_HOURS],
        );
        const details = { proposalId: id, kind: name };
        await this.audit.append(tx, { type: 'proposal.made', outcome: 'ok', details });
        return { id };
      }),
    );
  }
}
