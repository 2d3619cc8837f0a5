import { AuditModule } from '#audit/audit.module';
import { PolicyModule } from '#policy/policy.module';
import { StatementsModule } from '#statements/statements.module';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ConsentGate } from './consent-gate.js';
import { ConsentInactivity } from './consent-inactivity.js';
import { DemandRenewalsHandler } from './demand-renewals.js';
import { DestructionLedger } from './destruction-ledger.js';
import { ExpireConsentsHandler } from './expire-consents.js';
import { FindConsentHandler } from './find-consent.js';
import { FindCurrentNoticeHandler } from './find-current-notice.js';
import { FindNoticeHandler } from './find-notice.js';
import { FindSubjectHandler } from './find-subject.js';
import { GrantConsentHandler } from './grant-consent.js';
import { AgeCorrection } from './internal/age-correction.js';
import { ConsentFact } from './internal/consent-fact.entity.js';
import { ConsentLedger } from './internal/consent-ledger.js';
import { ConsentTerms } from './internal/consent-terms.js';
import { Consent } from './internal/consent.entity.js';
import { Notice } from './internal/notice.entity.js';
import { Renewals } from './internal/renewals.js';
import { SubjectReferences } from './internal/subject-references.js';
import { Subject } from './internal/subject.entity.js';
import { IssueReceiptHandler } from './issue-receipt.js';
import { LegalHolds } from './legal-holds.js';
import { ListConsentsHandler } from './list-consents.js';
import { ListNoticesHandler } from './list-notices.js';
import { ListSubjectsHandler } from './list-subjects.js';
import { ProcessingLimits } from './processing-limits.js';
import { PublishNoticeHandler } from './publish-notice.js';
import { RefuseConsentHandler } from './refuse-consent.js';
import { RegisterSubjectHandler } from './register-subject.js';
import { SubjectCorrection } from './subject-correction.js';
import { RenewConsentHandler } from './renew-consent.js';
import { SubjectDirectory } from './subject-directory.js';
import { SubjectErasure } from './subject-erasure.js';
import { SubjectPresence } from './subject-presence.js';
import { WithdrawConsentHandler } from './withdraw-consent.js';

@Module({
  imports: [
    AuditModule,
    PolicyModule,
    StatementsModule,
    TypeOrmModule.forFeature([Subject, Notice, Consent, ConsentFact]),
  ],
  providers: [
    AgeCorrection,
    ConsentGate,
    ConsentInactivity,
    ConsentLedger,
    ConsentTerms,
    DemandRenewalsHandler,
    DestructionLedger,
    ExpireConsentsHandler,
    FindConsentHandler,
    FindCurrentNoticeHandler,
    FindNoticeHandler,
    FindSubjectHandler,
    GrantConsentHandler,
    IssueReceiptHandler,
    LegalHolds,
    ListConsentsHandler,
    ListNoticesHandler,
    ListSubjectsHandler,
    ProcessingLimits,
    PublishNoticeHandler,
    RefuseConsentHandler,
    RegisterSubjectHandler,
    SubjectCorrection,
    RenewConsentHandler,
    Renewals,
    SubjectDirectory,
    SubjectErasure,
    SubjectPresence,
    SubjectReferences,
    WithdrawConsentHandler,
  ],
  exports: [
    ConsentGate,
    ConsentInactivity,
    DestructionLedger,
    LegalHolds,
    ProcessingLimits,
    SubjectCorrection,
    SubjectDirectory,
    SubjectErasure,
    SubjectPresence,
  ],
})
export class ConsentModule {}
