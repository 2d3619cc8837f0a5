import { ForgetErased } from '#audit/forget-erased';
import { ForgetExpiredTokens } from '#auth/forget-expired-tokens';
import { NoteBackups } from '#backup/note-backups';
import { BindTemplates } from '#biometrics/bind-templates';
import { DemandRenewals } from '#consent/demand-renewals';
import { ExpireConsents } from '#consent/expire-consents';
import { DetectIncidents } from '#incidents/detect-incidents';
import { NoteHandovers } from '#incidents/note-handovers';
import { RemindDuties } from '#incidents/remind-duties';
import { SweepJobs } from '#jobs/sweep-jobs';
import { ForgetSessions } from '#officers/forget-sessions';
import type { Config } from '#platform/config';
import { Idempotency } from '#platform/idempotency';
import { Outbox } from '#platform/outbox';
import { CONFIG } from '#platform/platform.module';
import { RECURRING } from '#platform/queues';
import { RepeatedTask } from '#platform/repeated-task';
import { RemindCases } from '#rights/remind-cases';
import { ApplyRetention } from '#retention/apply-retention';
import { ForgetDeliveries } from '#webhooks/forget-deliveries';
import { InjectQueue, Processor } from '@nestjs/bullmq';
import { Inject, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Job, Queue } from 'bullmq';
import { DrainingWorkerHost } from './draining-worker-host.js';

const SECOND = 1_000;

/** What is done again and again; BullMQ's schedulers see to it that one worker does it each time. */
@Processor(RECURRING)
export class RecurringProcessor
  extends DrainingWorkerHost
  implements OnApplicationBootstrap, OnApplicationShutdown
{
  private readonly logger = new Logger('recurring');
  private readonly scheduling = new RepeatedTask('schedulers', 30 * SECOND, () => this.schedule());
  private readonly tasks: Readonly<Record<string, { every: number; run: () => Promise<unknown> }>>;

  constructor(
    @InjectQueue(RECURRING) private readonly queue: Queue,
    commands: CommandBus,
    idempotency: Idempotency,
    outbox: Outbox,
    @Inject(CONFIG) { detection }: Config,
  ) {
    super();
    this.tasks = {
      'expire-consents': { every: 10 * SECOND, run: () => commands.execute(new ExpireConsents()) },
      'demand-renewals': { every: 10 * SECOND, run: () => commands.execute(new DemandRenewals()) },
      'apply-retention': { every: 60 * SECOND, run: () => commands.execute(new ApplyRetention()) },
      'bind-templates': { every: 10 * SECOND, run: () => commands.execute(new BindTemplates()) },
      'note-backups': { every: 60 * SECOND, run: () => commands.execute(new NoteBackups()) },
      'forget-erased-subjects': {
        every: 3_600 * SECOND,
        run: () => commands.execute(new ForgetErased()),
      },
      'forget-expired-tokens': {
        every: 3_600 * SECOND,
        run: () => commands.execute(new ForgetExpiredTokens()),
      },
      'forget-officer-sessions': {
        every: 3_600 * SECOND,
        run: () => commands.execute(new ForgetSessions()),
      },
      'forget-idempotency-keys': { every: 3_600 * SECOND, run: () => idempotency.forgetOld() },
      'remind-cases': { every: 60 * SECOND, run: () => commands.execute(new RemindCases()) },
      'sweep-jobs': { every: 600 * SECOND, run: () => commands.execute(new SweepJobs()) },
      'detect-incidents': {
        every: detection.everySeconds * SECOND,
        run: () => commands.execute(new DetectIncidents()),
      },
      'note-handovers': { every: 10 * SECOND, run: () => commands.execute(new NoteHandovers()) },
      'remind-duties': { every: 10 * SECOND, run: () => commands.execute(new RemindDuties()) },
      'forget-delivered-messages': { every: 3_600 * SECOND, run: () => outbox.forgetDone() },
      'forget-webhook-deliveries': {
        every: 3_600 * SECOND,
        run: () => commands.execute(new ForgetDeliveries()),
      },
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.schedule();
    this.scheduling.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.scheduling.stop();
  }

  async process(job: Job): Promise<void> {
    await this.tasks[job.name]?.run();
    // BullMQ names a job of a scheduler after its time: who reads the logs sees that each ran once.
    this.logger.debug?.({ message: 'ran', task: job.name, jobId: job.id });
  }

  /** Also what Redis forgot while this process ran. */
  private async schedule(): Promise<void> {
    for (const [name, { every }] of Object.entries(this.tasks)) {
      const known = await this.queue.getJobScheduler(name);
      if (known?.every === every) continue;
      const opts = { removeOnComplete: true, removeOnFail: 10 };
      await this.queue.upsertJobScheduler(name, { every }, { name, opts });
    }
  }
}
