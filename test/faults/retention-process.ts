import { BiometricsModule } from '#biometrics/biometrics.module';
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
 * The worker's retention engine alone: one run, then it ends. `KILL_AT`: it kills itself at that statement of the run,
 * right before it is sent.
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
const destroyed = await app.get(CommandBus).execute(new ApplyRetention());
process.stdout.write(`${destroyed}\n`);
await app.close();
