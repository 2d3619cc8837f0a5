import { CONSENT_ENDED } from '#consent/consent.events';
import { asId } from '#platform/ids';
import { Outbox, type OutboxMessage } from '#platform/outbox';
import { type MessageJob, MESSAGES } from '#platform/queues';
import { runInContext } from '#platform/request-context';
import { EraseGranted } from '#rights/erase-granted';
import { ERASURE_GRANTED } from '#rights/rights.events';
import { ScheduleDestruction } from '#retention/schedule-destruction';
import { Processor } from '@nestjs/bullmq';
import { Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Job } from 'bullmq';
import { DataSource, type EntityManager } from 'typeorm';
import { DrainingWorkerHost } from './draining-worker-host.js';

type MessageHandler = (tx: EntityManager, payload: OutboxMessage['payload']) => Promise<unknown>;

/** A message becomes a command. Its effect and its end commit together, so a message delivered twice acts once. */
@Processor(MESSAGES, { concurrency: 4 })
export class MessageProcessor extends DrainingWorkerHost {
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
        commands.execute(new ScheduleDestruction(tx, asId<'consent'>(consentId))),
      [ERASURE_GRANTED]: (_tx, { clientId = '', subjectId = '' }) =>
        commands.execute(new EraseGranted(asId<'client'>(clientId), asId<'subject'>(subjectId))),
    };
  }

  /** The queue says which message; what it says is read from PostgreSQL, since who can write to Redis is no client. */
  async process(job: Job<MessageJob>): Promise<void> {
    const id = asId<'message'>(job.data.id);
    await runInContext({ requestId: `message-${id}` }, async () => {
      await this.db.transaction(async (tx) => {
        const message = await this.outbox.open(tx, id);
        if (message === undefined) return;
        const handler = this.handlers[message.type];
        if (handler === undefined) throw new Error('no handler for this type of message');
        await handler(tx, message.payload);
        await this.outbox.done(tx, id);
      });
      this.logger.log({ message: 'carried out', messageType: job.name, jobId: id });
    });
  }
}
