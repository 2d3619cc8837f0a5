import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId } from '#platform/ids';
import { Policies } from '#policy/policies';
import { NOTICE_ITEMS } from '#policy/consent-rules';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { NoticeIncomplete, RenewalInPast } from './consent.errors.js';
import { Notice } from './internal/notice.entity.js';
import { Renewals } from './internal/renewals.js';
import { missingItems, type NoticeItems } from './notice-items.js';
import { noticeHash } from './notice-hash.js';

/** `text` or `items` or both; who shows the text alone shows the items, too. */
export interface NoticeText {
  readonly purpose: string;
  /** BCP 47 tag. */
  readonly language: string;
  readonly title: string;
  readonly text?: string;
  readonly items?: NoticeItems;
  /** Whose law it has to satisfy. */
  readonly jurisdiction?: string;
  /** When consents under older versions end that were not renewed. */
  readonly renewBy?: Date;
}

/** Publishes the next version of a notice; versions count up by client, purpose and language. */
export class PublishNotice extends Command<Created<'notice'>> {
  constructor(
    readonly clientId: ClientId,
    readonly notice: NoticeText,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(PublishNotice)
export class PublishNoticeHandler implements ICommandHandler<PublishNotice> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly policies: Policies,
    private readonly renewals: Renewals,
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, notice, idempotency }: PublishNotice): Promise<Created<'notice'>> {
    const { purpose, language } = notice;
    const event = { type: 'notice.published', clientId, details: { purpose, language } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.idempotency.transaction(idempotency, (tx) => this.publish(tx, clientId, notice)),
    );
  }

  private async publish(
    tx: EntityManager,
    clientId: ClientId,
    { purpose, language, title, ...given }: NoticeText,
  ): Promise<Created<'notice'>> {
    const { items = null, jurisdiction = null, renewBy = null, text = textOf(items) } = given;
    if (renewBy !== null && renewBy <= new Date()) throw new RenewalInPast();
    if (jurisdiction !== null) await this.requireItems(tx, jurisdiction, items ?? {});
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [
      `${clientId} ${purpose} ${language}`,
    ]);
    const newest = await tx.findOne(Notice, {
      where: { clientId, purpose, language },
      order: { version: 'DESC' },
    });
    const id = newId<'notice'>();
    const version = (newest?.version ?? 0) + 1;
    const previousHash = newest?.hash ?? null;
    const said = { purpose, language, version, title, text, items, jurisdiction, renewBy, previousHash };
    const hash = noticeHash(said);
    await tx.insert(Notice, { ...said, id, clientId, format: 2, hash });
    if (renewBy !== null) await this.renewals.demand(tx, { id, clientId, purpose }, renewBy);
    await this.audit.append(tx, {
      type: 'notice.published',
      outcome: 'ok',
      clientId,
      details: {
        noticeId: id,
        purpose,
        language,
        version,
        hash: hash.toString('hex'),
        ...(jurisdiction !== null && { jurisdiction }),
        ...(renewBy !== null && { renewBy: renewBy.toISOString() }),
      },
    });
    return { id };
  }

  private async requireItems(tx: EntityManager, jurisdiction: string, items: NoticeItems): Promise<void> {
    const { document } = await this.policies.current(tx, jurisdiction);
    const missing = missingItems(document, items);
    if (missing.length === 0) return;
    const message = `${jurisdiction} asks for it`;
    throw new NoticeIncomplete(missing.map((item) => ({ field: `items.${item}`, message })));
  }
}

function textOf(items: NoticeItems | null): string {
  return NOTICE_ITEMS.flatMap((item) => items?.[item] ?? []).join('\n\n');
}
