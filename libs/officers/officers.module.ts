import { AuditModule } from '#audit/audit.module';
import { AuthModule } from '#auth/auth.module';
import { Module } from '@nestjs/common';
import { BeginEnrolmentHandler } from './begin-enrolment.js';
import { ConfirmEnrolmentHandler } from './confirm-enrolment.js';
import { CreateOfficerHandler } from './create-officer.js';
import { DisableOfficerHandler } from './disable-officer.js';
import { EndSessionHandler } from './end-session.js';
import { ForgetSessionsHandler } from './forget-sessions.js';
import { LoginThrottle } from './internal/login-throttle.js';
import { OfficerStore } from './internal/officer-store.js';
import { SessionLedger } from './internal/session-ledger.js';
import { ListOfficersHandler } from './list-officers.js';
import { OfficerDirectory } from './officer-directory.js';
import { OfficerSessions } from './officer-sessions.js';
import { RenewSessionHandler } from './renew-session.js';
import { ResetOfficerHandler } from './reset-officer.js';
import { StartSessionHandler } from './start-session.js';

@Module({
  imports: [AuditModule, AuthModule],
  providers: [
    BeginEnrolmentHandler,
    ConfirmEnrolmentHandler,
    CreateOfficerHandler,
    DisableOfficerHandler,
    EndSessionHandler,
    ForgetSessionsHandler,
    ListOfficersHandler,
    LoginThrottle,
    OfficerDirectory,
    OfficerSessions,
    OfficerStore,
    RenewSessionHandler,
    ResetOfficerHandler,
    SessionLedger,
    StartSessionHandler,
  ],
  exports: [OfficerDirectory, OfficerSessions],
})
export class OfficersModule {}
