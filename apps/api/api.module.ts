import { AuditModule } from '#audit/audit.module';
import { AuthModule } from '#auth/auth.module';
import { BiometricsModule } from '#biometrics/biometrics.module';
import { ConsentModule } from '#consent/consent.module';
import { CustodyModule } from '#custody/custody.module';
import { JobsModule } from '#jobs/jobs.module';
import type { Config } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { QueueView } from '#platform/queue-view';
import { PolicyModule } from '#policy/policy.module';
import { RecordsModule } from '#records/records.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { TerminusModule } from '@nestjs/terminus';
import { AuditEventsController } from './admin/audit-events.controller.js';
import { AuditProofsController } from './admin/audit-proofs.controller.js';
import { RecordsController } from './admin/records/records.controller.js';
import { ReportsController } from './admin/reports/reports.controller.js';
import { PublicLogController } from './audit/public-log.controller.js';
import { AccessTokenGuard } from './auth/access-token.guard.js';
import { TokenAdmission } from './auth/token-admission.js';
import { ConsentsController } from './consents/consents.controller.js';
import { GalleriesController } from './galleries/galleries.controller.js';
import { HealthController } from './health/health.controller.js';
import { GalleryJobsController } from './jobs/gallery-jobs.controller.js';
import { JobsController } from './jobs/jobs.controller.js';
import { MatchingController } from './matching/matching.controller.js';
import { JurisdictionsController } from './jurisdictions/jurisdictions.controller.js';
import { ModelsController } from './models/models.controller.js';
import { NoticesController } from './notices/notices.controller.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { WellKnownController } from './oauth/well-known.controller.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { ProblemsController } from './problem/problems.controller.js';
import { QueueBoard } from './queue-board/queue-board.js';
import { QueueBoardController } from './queue-board/queue-board.controller.js';
import { AddressLimitGuard, ClientLimitGuard, PasswordLimitGuard } from './rate-limit/rate-limit.guards.js';
import { RateLimitModule } from './rate-limit/rate-limit.module.js';
import { OpenStreams } from './request/open-streams.js';
import { validationPipe } from './request/validation.js';
import { SubjectsController } from './subjects/subjects.controller.js';
import { TemplatesController } from './templates/templates.controller.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';

@Module({})
export class ApiModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        PlatformModule.forRoot(config, 'velum-api'),
        CqrsModule.forRoot(),
        TerminusModule.forRoot({ logger: false }),
        RateLimitModule,
        AuditModule,
        AuthModule,
        PolicyModule,
        ConsentModule,
        CustodyModule,
        BiometricsModule,
        JobsModule,
        WebhooksModule,
        RecordsModule,
      ],
      controllers: [
        OAuthController,
        WellKnownController,
        GalleriesController,
        ModelsController,
        SubjectsController,
        JurisdictionsController,
        NoticesController,
        ConsentsController,
        TemplatesController,
        MatchingController,
        GalleryJobsController,
        JobsController,
        WebhooksController,
        AuditEventsController,
        AuditProofsController,
        RecordsController,
        ReportsController,
        PublicLogController,
        HealthController,
        ProblemsController,
        QueueBoardController,
      ],
      providers: [
        OpenStreams,
        PasswordLimitGuard,
        QueueBoard,
        QueueView,
        TokenAdmission,
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
        // Guards run in this order: an address is limited before anything is checked, a client after its token was.
        { provide: APP_GUARD, useClass: AddressLimitGuard },
        { provide: APP_GUARD, useClass: AccessTokenGuard },
        { provide: APP_GUARD, useClass: ClientLimitGuard },
      ],
    };
  }
}
