import { DataSource, type DataSourceOptions } from 'typeorm';
import { migrationDatabaseUrl } from './config.js';
import { MIGRATIONS } from './migrations/all.js';

/** What both apps share of their connection; `statement_timeout` keeps a lost query from holding locks for ever. */
export function dataSourceOptions(url: string, applicationName: string): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    synchronize: false,
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migration',
    extra: { max: 20, statement_timeout: 60_000, connectionTimeoutMillis: 5_000 },
    applicationName,
  };
}

/** Runs as the owner of the tables. Two at once wait for each other: migrations are not safe side by side. */
export async function migrate(url = migrationDatabaseUrl()): Promise<string[]> {
  const owner = new DataSource({
    ...dataSourceOptions(url, 'velum-migrate'),
    migrationsTransactionMode: 'each',
  });
  await owner.initialize();
  const lock = owner.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied = await owner.runMigrations();
    return applied.map((migration) => migration.name);
  } finally {
    await lock.release();
    await owner.destroy();
  }
}

const MIGRATION_LOCK = 0x56656c75;
