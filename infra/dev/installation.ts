import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DatabaseUrls, migrateDatabase, prepareDatabase } from './database.js';
import { type RunningPostgres, startPostgres } from './postgres.js';
import { type RunningRedis, startRedis } from './redis.js';
import { makeDevelopmentSecrets } from './secrets.js';

/** Git-ignored: what a development installation keeps. */
export const DEVELOPMENT_FOLDER = resolve('.velum');

/** PostgreSQL, Redis and secrets for development; the environment in which the apps run on them. */
export interface Installation {
  readonly folder: string;
  readonly secretsFolder: string;
  readonly server: string;
  readonly redisUrl: string;
  readonly redis: RunningRedis | undefined;
  stop(): Promise<void>;
}

/** Starts what DATABASE_URL and REDIS_URL do not name. */
export async function startInstallation(folder: string): Promise<Installation> {
  const secretsFolder = join(folder, 'secrets');
  mkdirSync(folder, { recursive: true });
  makeDevelopmentSecrets(secretsFolder);
  const given = { database: process.env['DATABASE_URL'], redis: process.env['REDIS_URL'] };
  const postgres: RunningPostgres | undefined = given.database
    ? undefined
    : await startPostgres(join(folder, 'postgres'));
  const password = readFileSync(join(secretsFolder, 'redis_password'), 'utf8').trim();
  const redis = given.redis
    ? undefined
    : await startRedis(join(folder, 'redis'), password).catch(async (error: unknown) => {
        await postgres?.stop();
        throw error;
      });
  return {
    folder,
    secretsFolder,
    server: postgres?.url ?? given.database ?? '',
    redisUrl: redis?.url ?? given.redis ?? '',
    redis,
    stop: async () => {
      await redis?.stop();
      await postgres?.stop();
    },
  };
}

/** A migrated database and the environment for the apps that use it. */
export async function prepareApps(
  installation: Installation,
  database: string,
): Promise<{ urls: DatabaseUrls; env: Record<string, string> }> {
  const urls = await prepareDatabase(installation.server, database, installation.secretsFolder);
  migrateDatabase(urls.owner);
  return { urls, env: appEnvironment(installation, urls) };
}

export function appEnvironment(installation: Installation, urls: DatabaseUrls): Record<string, string> {
  return {
    VELUM_ENV: 'development',
    SECRETS_DIR: installation.secretsFolder,
    DATABASE_URL: urls.app,
    WORKER_DATABASE_URL: urls.worker,
    CUSTODIAN_DATABASE_URL: urls.custodian,
    REDIS_URL: installation.redisUrl,
    METRICS_PORT: '0',
  };
}
