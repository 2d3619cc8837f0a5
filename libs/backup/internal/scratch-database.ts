import { databaseNamed, databaseOf, withDatabase } from '#platform/one-off-database';
import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { CannotBackUp } from '../cannot-back-up.js';
import { inspectTarget, type TargetDatabase } from './target-database.js';

/** PostgreSQL manual, appendix A. */
const OBJECT_IN_USE = '55006';
const INSUFFICIENT_PRIVILEGE = '42501';

const APPLICATION = 'velum-restore';
/** That a dump grants something to. */
const ROLES = ['velum_app', 'velum_worker', 'velum_custodian'];
const CONNECTED = 'Somebody is connected to the database: stop the API and the workers first.';

/**
 * A database that no app knows of, into which a backup is restored: what is half restored, or wrong, never serves. It
 * takes the place of the real one by its name, in a moment.
 */
export class ScratchDatabase {
  readonly name = `velum_restore_${randomBytes(6).toString('hex')}`;

  private constructor(
    /** Of the database whose place it may take. */
    private readonly targetUrl: string,
    private readonly target: TargetDatabase | undefined,
  ) {}

  /** `targetUrl`: as the owner, who may create databases, or a superuser. */
  static async create(
    targetUrl: string,
    { force, drill }: { force: boolean; drill: boolean },
  ): Promise<ScratchDatabase> {
    const target = await inspectTarget(targetUrl);
    if (target?.empty === false && !force && !drill) {
      throw new CannotBackUp(
        `The database ${databaseOf(targetUrl)} is not empty. With --force it is kept under another name.`,
      );
    }
    const scratch = new ScratchDatabase(targetUrl, target);
    await scratch.onServer(async (db) => {
      if (!drill) await requireUnused(db, databaseOf(targetUrl));
      await requireRoles(db);
      const owner = target === undefined ? '' : `OWNER ${quoted(target.owner)}`;
      await db.query(`CREATE DATABASE ${scratch.name} TEMPLATE template0 ${owner}`);
    });
    return scratch;
  }

  /** As the owner, also where a superuser restores for one. */
  get url(): string {
    const url = new URL(databaseNamed(this.targetUrl, this.name));
    const owner = this.target?.owner;
    if (owner !== undefined && owner !== decodeURIComponent(url.username)) {
      url.searchParams.set('options', `-c role=${owner}`);
    }
    return url.toString().replaceAll('+', '%20');
  }

  /** Whether there is a database that it replaces. */
  get replaces(): boolean {
    return this.target?.empty === false;
  }

  drop(): Promise<void> {
    return this.onServer(async (db) => {
      await db.query(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
    });
  }

  /** An empty database makes way for it; one that holds anything is kept, under the name that is answered. */
  takePlace(): Promise<string | undefined> {
    const name = databaseOf(this.targetUrl);
    const aside = `${name}_before_${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}`;
    return this.onServer(async (db) => {
      await this.adoptGrants(db);
      // Both or neither: at no moment is there no database of that name.
      await db.transaction(async (tx) => {
        if (this.target) await tx.query(`ALTER DATABASE ${quoted(name)} RENAME TO ${quoted(aside)}`);
        await tx.query(`ALTER DATABASE ${this.name} RENAME TO ${quoted(name)}`);
      });
      if (this.replaces) return aside;
      // Which no transaction may do.
      if (this.target) await db.query(`DROP DATABASE ${quoted(aside)}`);
      return undefined;
    });
  }

  private async adoptGrants(db: DataSource): Promise<void> {
    if (!this.target?.grants) return;
    await db.query(`REVOKE ALL ON DATABASE ${this.name} FROM PUBLIC`);
    for (const { privilege, grantee } of this.target.grants) {
      await db.query(`GRANT ${privilege} ON DATABASE ${this.name} TO ${grantee}`);
    }
  }

  private async onServer<R>(work: (db: DataSource) => Promise<R>): Promise<R> {
    try {
      return await withDatabase(databaseNamed(this.targetUrl, 'postgres'), APPLICATION, work);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === OBJECT_IN_USE) throw new CannotBackUp(CONNECTED);
      if (code === INSUFFICIENT_PRIVILEGE) {
        throw new CannotBackUp(
          'The role of the database URL may not create databases: ALTER ROLE … CREATEDB.',
        );
      }
      throw error;
    }
  }
}

async function requireRoles(db: DataSource): Promise<void> {
  const there = await db.query<{ rolname: string }[]>(
    'SELECT rolname FROM pg_roles WHERE rolname = ANY($1)',
    [ROLES],
  );
  const missing = ROLES.filter((role) => !there.some(({ rolname }) => rolname === role));
  if (missing.length === 0) return;
  throw new CannotBackUp(`Roles are not there: ${missing.join(', ')}. CREATE ROLE … LOGIN PASSWORD …`);
}

/** Looked at before the work and not only when the name changes, which an hour later would find out too. */
async function requireUnused(db: DataSource, name: string): Promise<void> {
  const [other] = await db.query<object[]>(
    // Autovacuum has no user, and makes way.
    `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name <> $2 AND usesysid IS NOT NULL LIMIT 1`,
    [name, APPLICATION],
  );
  if (other !== undefined) throw new CannotBackUp(CONNECTED);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
