import { DataSource } from 'typeorm';
import { dataSourceOptions } from './data-source.js';

/** A connection for one piece of an operator's work, which may take as long as it takes. */
export async function withDatabase<R>(
  url: string,
  applicationName: string,
  work: (db: DataSource) => Promise<R>,
): Promise<R> {
  const db = new DataSource({
    ...dataSourceOptions(url, applicationName),
    extra: { max: 2, statement_timeout: 0, connectionTimeoutMillis: 10_000 },
  });
  await db.initialize();
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

/** The same server and role, another database. */
export function databaseNamed(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.toString();
}

export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}
