import { BiometricsModule } from '#biometrics/biometrics.module';
import { DemandRenewals } from '#consent/demand-renewals';
import { CustodyModule } from '#custody/custody.module';
import { loadWorkerConfig } from '#platform/config';
import { PlatformModule } from '#platform/platform.module';
import { ApplyRetention } from '#retention/apply-retention';
import { RetentionModule } from '#retention/retention.module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { DataSource, type QueryRunner } from 'typeorm';

/**
 * One of the worker's engines alone: one run, then it ends. `KILL_AT`: it kills itself at that statement of the run, right
 * before it is sent.
 */
@Module({})
class EngineModule {}

const config = loadWorkerConfig();
const at = Number(process.env['KILL_AT'] ?? 0);
let statement = 0;

function counting(runner: QueryRunner): QueryRunner {
  const query = runner.query.bind(runner);
  runner.query = async (...args: Parameters<QueryRunner['query']>) => {
    if (++statement === at) process.kill(process.pid, 'SIGKILL');
    return query(...args);
  };
  return runner;
}

const root = {
  module: EngineModule,
  imports: [
    PlatformModule.forRoot(config, 'velum-retention'),
    CqrsModule.forRoot(),
    CustodyModule.forRoot(config),
    BiometricsModule,
    RetentionModule,
  ],
};
const app = await NestFactory.createApplicationContext(root, { logger: ['error'], abortOnError: false });
const db = app.get(DataSource);
const create = db.createQueryRunner.bind(db);
db.createQueryRunner = (...args) => counting(create(...args));
const commands = app.get(CommandBus);
if (process.env['ENGINE'] === 'renewals') await commands.execute(new DemandRenewals());
else process.stdout.write(`${await commands.execute(new ApplyRetention())}\n`);
await app.close();
