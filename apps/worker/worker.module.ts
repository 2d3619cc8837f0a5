import { AuditModule } from '#audit/audit.module';
import { AuthModule } from '#auth/auth.module';
import { BackupModule } from '#backup/backup.module';
import { BiometricsModule } from '#biometrics/biometrics.module';
import { ConsentModule } from '#consent/consent.module';
import { CustodyModule } from '#custody/custody.module';
import { IncidentsModule } from '#incidents/incidents.module';
import { JobsModule } from '#jobs/jobs.module';
import { OfficersModule } from '#officers/officers.module';
import type { Config } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { QueueView } from '#platform/queue-view';
import { JOBS, MESSAGES, RECURRING, WEBHOOKS } from '#platform/queues';
import { redisTls, retrying } from '#platform/redis';
import { RightsModule } from '#rights/rights.module';
import { RetentionModule } from '#retention/retention.module';
import { RecordsModule } from '#records/records.module';
import { ResealingModule } from '#rotation/resealing.module';
import { StatementsModule } from '#statements/statements.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AuditSequencer } from './audit-sequencer.js';
import { CustodyRelay } from './custody-relay.js';
import { ErasureRelay } from './erasure-relay.js';
import { KeyRotationTask } from './key-rotation-task.js';
import { MessageProcessor } from './message.processor.js';
import { OutboxRelay } from './outbox-relay.js';
import { RecurringProcessor } from './recurring.processor.js';
import { RedisErrors } from './redis-errors.js';
import { Resealing } from './resealing.js';
import { WebhookProcessor } from './webhook.processor.js';
import { WebhookRelay } from './webhook-relay.js';
import { WorkProcessor } from './work.processor.js';
import { WorkRelay } from './work-relay.js';
import { WorkerHealth } from './worker-health.js';

@Module({})
export class WorkerModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        PlatformModule.forRoot(config, 'velum-worker'),
        CqrsModule.forRoot(),
        BullModule.forRoot({
          connection: {
            url: config.redisUrl,
            ...redisTls(config),
            ...retrying(config),
            maxRetriesPerRequest: null,
          },
        }),
        BullModule.registerQueue({ name: MESSAGES }, { name: RECURRING }, { name: JOBS }, { name: WEBHOOKS }),
        AuditModule,
        AuthModule,
        BackupModule,
        ConsentModule,
        BiometricsModule,
        CustodyModule.forRoot(config),
        IncidentsModule,
        JobsModule,
        RightsModule,
        RetentionModule,
        OfficersModule,
        RecordsModule,
        ResealingModule,
        WebhooksModule,
        StatementsModule,
      ],
      providers: [
        AuditSequencer,
        CustodyRelay,
        ErasureRelay,
        KeyRotationTask,
        MessageProcessor,
        OutboxRelay,
        QueueView,
        RecurringProcessor,
        RedisErrors,
        Resealing,
        WebhookProcessor,
        WebhookRelay,
        WorkProcessor,
        WorkRelay,
        WorkerHealth,
      ],
    };
  }
}
