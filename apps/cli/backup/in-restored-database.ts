import { BackupModule } from '#backup/backup.module';
import { CheckKeys } from '#backup/check-keys';
import { ReapplyErasures } from '#backup/reapply-erasures';
import type { InApps } from '#backup/restore-backup';
import { BiometricsModule } from '#biometrics/biometrics.module';
import { ConsentModule } from '#consent/consent.module';
import { CustodyModule } from '#custody/custody.module';
import { OfficersModule } from '#officers/officers.module';
import { loadConfig } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { runInContext } from '#platform/request-context';
import { RetentionModule } from '#retention/retention.module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CqrsModule, QueryBus } from '@nestjs/cqrs';

@Module({})
class RestoreModule {}

/** Erasures are carried out again by the commands that carried them out first, as the roles of the apps. */
export const inRestoredDatabase: InApps = async (urls, backupId, erasures) => {
  const config = {
    ...loadConfig(),
    databaseUrl: urls.app,
    custodianDatabaseUrl: urls.custodian,
    custodian: undefined,
  };
  const imports = [
    PlatformModule.forRoot(config, 'velum-restore'),
    CqrsModule.forRoot(),
    ConsentModule,
    CustodyModule.forRoot(config),
    BiometricsModule,
    RetentionModule,
    OfficersModule,
    BackupModule,
  ];
  const app = await NestFactory.createApplicationContext(
    { module: RestoreModule, imports },
    { logger: false, abortOnError: false },
  );
  try {
    return await runInContext({ requestId: `restore-${backupId}` }, async () => {
      const reapplied = await app.get(CommandBus).execute(new ReapplyErasures(backupId, erasures));
      return { reapplied, openedSegments: await app.get(QueryBus).execute(new CheckKeys()) };
    });
  } finally {
    await app.close();
  }
};
