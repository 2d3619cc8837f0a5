import type { ClientId, ConsentId } from '#platform/ids';
import { Policies } from '#policy/policies';
import { Statements } from '#statements/statements';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';
import { ConsentNotFound } from './consent.errors.js';
import { writeReceipt } from './internal/consent-receipt.js';
import { standing } from './internal/consent-standing.js';
import { ConsentFact } from './internal/consent-fact.entity.js';
import { Consent } from './internal/consent.entity.js';
import { Notice } from './internal/notice.entity.js';
import { Subject } from './internal/subject.entity.js';

export const RECEIPT_TYPE = 'consent-receipt+jwt';

/** What is known of a consent, signed, for the person to keep: a compact JWS. */
export class IssueReceipt extends Command<string> {
  constructor(
    readonly clientId: ClientId,
    readonly consentId: ConsentId,
  ) {
    super();
  }
}

@CommandHandler(IssueReceipt)
export class IssueReceiptHandler implements ICommandHandler<IssueReceipt> {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
    private readonly statements: Statements,
  ) {}

  execute({ clientId, consentId }: IssueReceipt): Promise<string> {
    return this.db.transaction(async (tx) => {
      // Held, so that state and events are those of one moment.
      const held = await tx.find(Consent, {
        where: { id: consentId, clientId },
        lock: { mode: 'pessimistic_read' },
      });
      const [consent] = await standing(tx, held);
      if (consent === undefined) throw new ConsentNotFound();
      const { jurisdiction } = await tx.findOneByOrFail(Subject, { id: consent.subjectId });
      const facts = await tx.find(ConsentFact, { where: { consentId }, order: { id: 'ASC' } });
      const noticeIds = [consent.noticeId, ...facts.flatMap(({ noticeId }) => noticeId ?? [])];
      const notices = await tx.findBy(Notice, { id: In(noticeIds) });
      const [client] = await tx.query<{ name: string }[]>('SELECT name FROM client WHERE id = $1', [
        clientId,
      ]);
      const receipt = writeReceipt({
        consent,
        facts,
        notices: new Map(notices.map((notice) => [notice.id, notice])),
        policy: await this.policies.current(tx, jurisdiction),
        controller: client?.name ?? '',
        now: new Date(),
      });
      return this.statements.sign(tx, RECEIPT_TYPE, receipt);
    });
  }
}
