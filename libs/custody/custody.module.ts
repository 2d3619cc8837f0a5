import type { Config } from '#platform/config';
import { type DynamicModule, Module } from '@nestjs/common';
import { KeyCustodian } from './key-custodian.js';
import { LocalCustodyModule } from './local-custody.module.js';
import { RemoteKeyCustodian } from './remote-key-custodian.js';

/** The port to keys, for all modules of an app: in this process, or in the one that CUSTODIAN_URL names. */
@Module({})
export class CustodyModule {
  static forRoot({ custodian }: Config): DynamicModule {
    if (custodian === undefined) {
      return {
        module: CustodyModule,
        global: true,
        imports: [LocalCustodyModule],
        exports: [LocalCustodyModule],
      };
    }
    return {
      module: CustodyModule,
      global: true,
      providers: [{ provide: KeyCustodian, useFactory: () => new RemoteKeyCustodian(custodian) }],
      exports: [KeyCustodian],
    };
  }
}
