import { Module } from '@nestjs/common';
import { KeyCustodian } from './key-custodian.js';
import { LocalKeyCustodian } from './local-key-custodian.js';

@Module({
  providers: [{ provide: KeyCustodian, useClass: LocalKeyCustodian }],
  exports: [KeyCustodian],
})
export class CustodyModule {}
