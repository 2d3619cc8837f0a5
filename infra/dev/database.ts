import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

export interface DatabaseUrls {
  /** Of the owner, who migrates. */
  readonly owner: string;
  /** Of `velum_app`, as which the apps log in: it cannot change the audit log. */
  readonly app: string;
}

/** Makes the database, if it is not there, and the role of the apps. `server`: the URL of one who may do that. */
export async function prepareDatabase(
  server: string,
  name: string,
  secretsFolder: string,
): Promise<DatabaseUrls> {
  const password = readFileSync(join(secretsFolder, 'db_password'), 'utf8').trim();
  await asOwner(databaseUrl(server, 'postgres'), async (client) => {
    await client.query(
      `DO $$ BEGIN CREATE ROLE velum_app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    await client.query(`ALTER ROLE velum_app PASSWORD ${client.escapeLiteral(password)}`);
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
  return urlsOf(server, name, password);
}

export function urlsOf(server: string, name: string, password: string): DatabaseUrls {
  const app = new URL(databaseUrl(server, name));
  app.username = 'velum_app';
  app.password = encodeURIComponent(password);
  return { owner: databaseUrl(server, name), app: app.toString() };
}

/** Brings the database to the version of the build. */
export function migrateDatabase(owner: string): void {
  const env = { VELUM_ENV: 'development', ...process.env, MIGRATION_DATABASE_URL: owner };
  const { status, stderr } = spawnSync(process.execPath, ['dist/apps/cli/main.js', 'migrate'], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The database could not be migrated: ${stderr}`);
}

export async function asOwner<R>(url: string, work: (client: Client) => Promise<R>): Promise<R> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.toString();
}
