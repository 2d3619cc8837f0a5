import { Module } from '@nestjs/common';
import { CustodyGauges } from './custody-gauges.js';
import { KeyCustodian } from './key-custodian.js';
import { LocalKeyCustodian } from './local-key-custodian.js';

@Module({
  providers: [{ provide: KeyCustodian, useClass: LocalKeyCustodian }, CustodyGauges],
  exports: [KeyCustodian],
})
export class CustodyModule {}
