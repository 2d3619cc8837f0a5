import { EraseUnconsented } from '#biometrics/erase-unconsented';
import { CONSENT_ENDED } from '#consent/consent.events';
import { asId, type MessageId } from '#platform/ids';
import { Outbox } from '#platform/outbox';
import { runInContext } from '#platform/request-context';
import { Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Job } from 'bullmq';
import { DataSource, type EntityManager } from 'typeorm';
import { type MessageJob, MESSAGES } from './queues.js';

type MessageHandler = (tx: EntityManager, payload: MessageJob['payload']) => Promise<unknown>;

/** A message becomes a command. Its effect and its end commit together, so a message delivered twice acts once. */
@Processor(MESSAGES, { concurrency: 4 })
export class MessageProcessor extends WorkerHost {
  private readonly logger = new Logger('messages');
  private readonly handlers: Readonly<Record<string, MessageHandler>>;

  constructor(
    private readonly db: DataSource,
    private readonly outbox: Outbox,
    commands: CommandBus,
  ) {
    super();
    this.handlers = {
      [CONSENT_ENDED]: (tx, { consentId = '' }) =>
        commands.execute(new EraseUnconsented(tx, asId<'consent'>(consentId))),
    };
  }

  async process(job: Job<MessageJob>): Promise<void> {
    const { id, type, payload } = job.data;
    const handler = this.handlers[type];
    if (handler === undefined) throw new Error('no handler for this type of message');
    await runInContext({ requestId: `message-${id}` }, async () => {
      await this.db.transaction(async (tx) => {
        const messageId = asId<'message'>(id);
        if (!(await this.isOpen(tx, messageId))) return;
        await handler(tx, payload);
        await this.outbox.done(tx, messageId);
      });
      this.logger.log({ message: 'carried out', messageType: type, jobId: id });
    });
  }

  private async isOpen(tx: EntityManager, id: MessageId): Promise<boolean> {
    const open = await tx.query<unknown[]>(
      'SELECT 1 FROM outbox WHERE id = $1 AND done_at IS NULL FOR UPDATE',
      [id],
    );
    return open.length > 0;
  }
}
