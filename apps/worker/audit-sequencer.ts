import { LogInconsistent } from '#audit/log-inconsistent';
import { SequenceEntries } from '#audit/sequence-entries';
import { ReportInconsistency } from '#incidents/report-inconsistency';
import { type Config, ConfigurationError } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { RepeatedTask } from '#platform/repeated-task';
import { MAKE_AUDIT_KEY } from '#platform/secrets';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';

/** A checkpoint covers an entry within a second: this, and the time that a turn takes. */
const PERIOD_MS = 250;
const COMPLAINT_MS = 60_000;

/** Makes leaves of audit entries. Any number of workers may try; PostgreSQL lets one. */
@Injectable()
export class AuditSequencer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('audit');
  private readonly task = new RepeatedTask('audit', PERIOD_MS, () => this.sequence());
  private complainedAt = -Infinity;
  private stopping = false;

  constructor(
    private readonly commands: CommandBus,
    @Inject(CONFIG) { secrets }: Config,
  ) {
    if (secrets.auditSigningKey === undefined) {
      throw new ConfigurationError(
        `Velum cannot start: the secret audit_signing_key is missing; make one with: ${MAKE_AUDIT_KEY}`,
      );
    }
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.task.stop();
  }

  /** Until nothing waits. */
  private async sequence(): Promise<void> {
    try {
      while (!this.stopping && (await this.commands.execute(new SequenceEntries())) > 0);
    } catch (error) {
      if (!(error instanceof LogInconsistent)) throw error;
      if (performance.now() - this.complainedAt < COMPLAINT_MS) return;
      this.complainedAt = performance.now();
      this.logger.error({ message: `nothing more is signed: ${error.message}`, errorName: error.name });
      await this.commands.execute(new ReportInconsistency(error.message));
    }
  }
}
