import { AuditModule } from '#audit/audit.module';
import { Module } from '@nestjs/common';
import { RotateStatementKeyHandler } from './rotate-statement-key.js';
import { Statements } from './statements.js';

@Module({
  imports: [AuditModule],
  providers: [RotateStatementKeyHandler, Statements],
  exports: [Statements],
})
export class StatementsModule {}
