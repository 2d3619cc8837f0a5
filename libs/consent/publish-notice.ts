import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Notice } from './internal/notice.entity.js';
import { noticeHash } from './notice-hash.js';

export interface NoticeText {
  readonly purpose: string;
  /** BCP 47 tag. */
  readonly language: string;
  readonly title: string;
  readonly text: string;
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
    private readonly audit: AuditLog,
  ) {}

  execute({ clientId, notice, idempotency }: PublishNotice): Promise<Created<'notice'>> {
    const { purpose, language } = notice;
    return this.idempotency.transaction(idempotency, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [
        `${clientId} ${purpose} ${language}`,
      ]);
      const newest = await tx.findOne(Notice, {
        where: { clientId, purpose, language },
        order: { version: 'DESC' },
      });
      const id = newId<'notice'>();
      const version = (newest?.version ?? 0) + 1;
      const hash = noticeHash({ ...notice, version });
      await tx.insert(Notice, { ...notice, id, clientId, version, hash });
      await this.audit.append(tx, {
        type: 'notice.published',
        outcome: 'ok',
        clientId,
        details: { noticeId: id, purpose, language, version, hash: hash.toString('hex') },
      });
      return { id };
    });
  }
}
