import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

/** The roles of Velum's processes, and the secret that holds the password of each (infra/postgres/roles.sql). */
const ROLES = {
  app: ['velum_app', 'db_password'],
  worker: ['velum_worker', 'db_worker_password'],
  custodian: ['velum_custodian', 'db_custodian_password'],
  backup: ['velum_backup', 'db_backup_password'],
} as const;

/** Of each role, and of the owner, who migrates. */
export type DatabaseUrls = Readonly<Record<keyof typeof ROLES | 'owner', string>>;

/** Makes the database, if it is not there, and the roles. `server`: the URL of one who may do that. */
export async function prepareDatabase(
  server: string,
  name: string,
  secretsFolder: string,
): Promise<DatabaseUrls> {
  await asOwner(databaseUrl(server, 'postgres'), async (client) => {
    for (const [role, secret] of Object.values(ROLES)) {
      await client.query(
        `DO $$ BEGIN CREATE ROLE ${role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      );
      const password = client.escapeLiteral(passwordOf(secretsFolder, secret));
      await client.query(`ALTER ROLE ${role} PASSWORD ${password}`);
    }
    await client.query('GRANT pg_read_all_data TO velum_backup');
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
  return urlsOf(server, name, secretsFolder);
}

export function urlsOf(server: string, name: string, secretsFolder: string): DatabaseUrls {
  const as = (kind: keyof typeof ROLES): string => {
    const [role, secret] = ROLES[kind];
    const url = new URL(databaseUrl(server, name));
    url.username = role;
    url.password = encodeURIComponent(passwordOf(secretsFolder, secret));
    return url.toString();
  };
  const owner = databaseUrl(server, name);
  return { owner, app: as('app'), worker: as('worker'), custodian: as('custodian'), backup: as('backup') };
}

function passwordOf(secretsFolder: string, secret: string): string {
  return readFileSync(join(secretsFolder, secret), 'utf8').trim();
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
