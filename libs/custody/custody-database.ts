import { ConfigurationError, type CustodyConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { DataSource, type DataSourceOptions } from 'typeorm';

/** Its statements are short, and a process has a second pool beside this one. */
const CONNECTIONS = 10;

/** The custodian's own connections, as the one role that may read keys (docs/adr/0020-roles-of-their-own.md). */
export class CustodyDatabase extends DataSource {
  /** Throws ConfigurationError where CUSTODIAN_DATABASE_URL is not set. */
  static async connect({
    custodianDatabaseUrl,
  }: Pick<CustodyConfig, 'custodianDatabaseUrl'>): Promise<CustodyDatabase> {
    if (custodianDatabaseUrl === undefined) {
      throw new ConfigurationError(
        'Velum cannot start:\n  - CUSTODIAN_DATABASE_URL must be set to a URL, of the role velum_custodian, or CUSTODIAN_URL to that of the custodian',
      );
    }
    const options: DataSourceOptions = dataSourceOptions(custodianDatabaseUrl, 'velum-custodian');
    const db = new CustodyDatabase({ ...options, extra: { ...options.extra, max: CONNECTIONS } });
    await db.initialize();
    return db;
  }
}
