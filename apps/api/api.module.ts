import { ApprovalsModule } from '#approvals/approvals.module';
import { AuditModule } from '#audit/audit.module';
import { AuthModule } from '#auth/auth.module';
import { BiometricsModule } from '#biometrics/biometrics.module';
import { ConsentModule } from '#consent/consent.module';
import { CustodyModule } from '#custody/custody.module';
import { IncidentsModule } from '#incidents/incidents.module';
import { JobsModule } from '#jobs/jobs.module';
import { OfficersModule } from '#officers/officers.module';
import type { Config } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { QueueView } from '#platform/queue-view';
import { PolicyModule } from '#policy/policy.module';
import { StatementsModule } from '#statements/statements.module';
import { RightsModule } from '#rights/rights.module';
import { RotationModule } from '#rotation/rotation.module';
import { RetentionModule } from '#retention/retention.module';
import { RecordsModule } from '#records/records.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { TerminusModule } from '@nestjs/terminus';
import { AuditEventsController } from './admin/audit-events.controller.js';
import { AuditProofsController } from './admin/audit-proofs.controller.js';
import { KeyEncryptionKeysController } from './admin/key-encryption-keys.controller.js';
import { KeyRotationsController } from './admin/key-rotations.controller.js';
import { AdminIncidentsController } from './admin/incidents/incidents.controller.js';
import { NotificationsController } from './admin/incidents/notifications.controller.js';
import { RecordsController } from './admin/records/records.controller.js';
import { ReportsController } from './admin/reports/reports.controller.js';
import { PublicLogController } from './audit/public-log.controller.js';
import { CasesController } from './admin/cases/cases.controller.js';
import { AccessTokenGuard } from './auth/access-token.guard.js';
import { TokenAdmission } from './auth/token-admission.js';
import { ConsentRefusalsController } from './consents/consent-refusals.controller.js';
import { ConsentsController } from './consents/consents.controller.js';
import { GalleriesController } from './galleries/galleries.controller.js';
import { HealthController } from './health/health.controller.js';
import { GalleryJobsController } from './jobs/gallery-jobs.controller.js';
import { JobsController } from './jobs/jobs.controller.js';
import { IncidentsController } from './incidents/incidents.controller.js';
import { MatchingController } from './matching/matching.controller.js';
import { JurisdictionsController } from './jurisdictions/jurisdictions.controller.js';
import { ModelsController } from './models/models.controller.js';
import { NoticesController } from './notices/notices.controller.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { WellKnownController } from './oauth/well-known.controller.js';
import { OfficerDecisionsGuard } from './officers/officer-decisions.guard.js';
import { OfficerReadsGuard } from './officers/officer-reads.guard.js';
import { OfficersController } from './officers/officers.controller.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { ProblemsController } from './problem/problems.controller.js';
import { ProposalWiring } from './proposals/proposal-wiring.js';
import { ProposalsController } from './proposals/proposals.controller.js';
import { QueueBoard } from './queue-board/queue-board.js';
import { QueueBoardController } from './queue-board/queue-board.controller.js';
import { AddressLimitGuard, ClientLimitGuard, PasswordLimitGuard } from './rate-limit/rate-limit.guards.js';
import { RateLimitModule } from './rate-limit/rate-limit.module.js';
import { OpenStreams } from './request/open-streams.js';
import { validationPipe } from './request/validation.js';
import { RightsRequestsController } from './rights/rights-requests.controller.js';
import { SubjectRightsController } from './rights/subject-rights.controller.js';
import { ErasureNoticesController } from './retention/erasure-notices.controller.js';
import { HoldsController } from './retention/holds.controller.js';
import { PublicPoliciesController } from './retention/public-policies.controller.js';
import { RetentionController } from './retention/retention.controller.js';
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
        CustodyModule.forRoot(config),
        BiometricsModule,
        JobsModule,
        WebhooksModule,
        StatementsModule,
        RightsModule,
        RotationModule,
        RetentionModule,
        OfficersModule,
        ApprovalsModule,
        IncidentsModule,
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
        RightsRequestsController,
        SubjectRightsController,
        CasesController,
        ConsentRefusalsController,
        TemplatesController,
        MatchingController,
        GalleryJobsController,
        JobsController,
        WebhooksController,
        IncidentsController,
        AuditEventsController,
        KeyEncryptionKeysController,
        KeyRotationsController,
        AuditProofsController,
        ErasureNoticesController,
        HoldsController,
        RetentionController,
        PublicPoliciesController,
        AdminIncidentsController,
        NotificationsController,
        RecordsController,
        ReportsController,
        PublicLogController,
        OfficersController,
        ProposalsController,
        HealthController,
        ProblemsController,
        QueueBoardController,
      ],
      providers: [
        OpenStreams,
        PasswordLimitGuard,
        ProposalWiring,
        QueueBoard,
        QueueView,
        TokenAdmission,
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
        // Guards run in this order: an address is limited before anything is checked, a client after its token was.
        { provide: APP_GUARD, useClass: AddressLimitGuard },
        { provide: APP_GUARD, useClass: AccessTokenGuard },
        { provide: APP_GUARD, useClass: ClientLimitGuard },
        { provide: APP_GUARD, useClass: OfficerDecisionsGuard },
        { provide: APP_GUARD, useClass: OfficerReadsGuard },
      ],
    };
  }
}
