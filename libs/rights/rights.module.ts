import { AuditModule } from '#audit/audit.module';
import { ConsentModule } from '#consent/consent.module';
import { PolicyModule } from '#policy/policy.module';
import { StatementsModule } from '#statements/statements.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdvanceCaseHandler } from './advance-case.js';
import { CorrectSubjectHandler } from './correct-subject.js';
import { EraseGrantedHandler } from './erase-granted.js';
import { ExportSubjectHandler } from './export-subject.js';
import { ExtendCaseHandler } from './extend-case.js';
import { FindCaseHandler } from './find-case.js';
import { FindNomineeHandler } from './find-nominee.js';
import { FulfilCaseHandler } from './fulfil-case.js';
import { CaseLedger } from './internal/case-ledger.js';
import { CaseTransition } from './internal/case-transition.entity.js';
import { HeldData } from './internal/held-data.js';
import { Nominee } from './internal/nominee.entity.js';
import { RightsCase } from './internal/rights-case.entity.js';
import { ListCasesHandler } from './list-cases.js';
import { OpenCaseHandler } from './open-case.js';
import { ProveErasureHandler } from './prove-erasure.js';
import { RecordNomineeHandler } from './record-nominee.js';
import { RefuseCaseHandler } from './refuse-case.js';
import { RemindCasesHandler } from './remind-cases.js';
import { RemoveNomineeHandler } from './remove-nominee.js';
import { WithdrawCaseHandler } from './withdraw-case.js';

@Module({
  imports: [
    AuditModule,
    ConsentModule,
    PolicyModule,
    StatementsModule,
    WebhooksModule,
    TypeOrmModule.forFeature([CaseTransition, Nominee, RightsCase]),
  ],
  providers: [
    AdvanceCaseHandler,
    CaseLedger,
    CorrectSubjectHandler,
    EraseGrantedHandler,
    ExportSubjectHandler,
    ExtendCaseHandler,
    FindCaseHandler,
    FindNomineeHandler,
    FulfilCaseHandler,
    HeldData,
    ListCasesHandler,
    OpenCaseHandler,
    ProveErasureHandler,
    RecordNomineeHandler,
    RefuseCaseHandler,
    RemindCasesHandler,
    RemoveNomineeHandler,
    WithdrawCaseHandler,
  ],
})
export class RightsModule {}
