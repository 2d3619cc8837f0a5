import type { DataSourceOptions } from 'typeorm';
import { PATIENT_PG } from './database-client.js';
import { MIGRATIONS } from './migrations/all.js';

/**
 * What both apps share of their connection; `statement_timeout` keeps a lost query from holding locks for ever. Who waits
 * for one of the connections waits ten seconds: on a machine at its limit, that is no sign of a database that is away.
 */
export function dataSourceOptions(url: string, applicationName: string): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    driver: PATIENT_PG,
    synchronize: false,
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migration',
    extra: { max: 20, statement_timeout: 60_000, connectionTimeoutMillis: 10_000 },
    applicationName,
  };
}
