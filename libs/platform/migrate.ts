import { setTimeout } from 'node:timers/promises';
import {
  DataSource,
  MigrationExecutor,
  type MigrationInterface,
  QueryFailedError,
  type QueryRunner,
} from 'typeorm';
import { migrationDatabaseUrl } from './config.js';
import { dataSourceOptions } from './data-source.js';
import { MigrationRefused } from './migration-refused.js';
import { MIGRATIONS } from './migrations/all.js';
import { checksHeldByDefault } from './schema/checks-by-default.js';
import { type Break, findBreaks } from './schema/find-breaks.js';
import { readSchema } from './schema/read-schema.js';

export interface MigrationOptions {
  /** A version works with this database meanwhile: what would break it is refused. */
  readonly serving: boolean;
  /** What that version has retired (migrations/retired.ts): it may be removed. */
  readonly unused?: readonly string[];
  readonly migrations?: readonly MigrationClass[];
}

/** `harmless`: what the comparison of schemas cannot judge, by its name, and why it breaks nobody. */
export type MigrationClass = new () => MigrationInterface & {
  readonly harmless?: Readonly<Record<string, string>>;
};

const MIGRATION_LOCK = 0x56656c75;

/** Requests wait for whoever waits for a lock: better to try again. */
const LONGEST_WAIT_FOR_LOCK = '1s';
const TRIES = 5;
const PAUSE_MS = 2_000;

/** Locks are held to the end; requests would wait for as long. */
const LONGEST_MIGRATION_MS = 10_000;

/** PostgreSQL manual, appendix A. */
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
const CANCELLED = '57014';

/**
 * Brings the database to this version, as the owner of the tables, in one transaction: all of it or nothing. Answers
 * what was applied; throws MigrationRefused if it would break the version that is serving. Two at once wait for each other.
 */
export async function migrate(
  url = migrationDatabaseUrl(),
  options: MigrationOptions = { serving: false },
): Promise<string[]> {
  const migrations = [...(options.migrations ?? MIGRATIONS)];
  const owner = new DataSource({ ...dataSourceOptions(url, 'velum-migrate'), migrations });
  await owner.initialize();
  const lock = owner.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const checked = options.serving && (await wasMigrated(lock));
    for (let tries = 1; ; tries++) {
      try {
        return await applyAll(owner, lock, checked ? { ...options, migrations } : undefined);
      } catch (error) {
        const code = codeOf(error);
        if (!checked || (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK)) throw explained(error, checked);
        if (tries === TRIES)
          throw new MigrationRefused([
            `it could not lock a table ${TRIES} times: something works on it for long`,
          ]);
        await setTimeout(PAUSE_MS);
      }
    }
  } finally {
    await lock.release();
    await owner.destroy();
  }
}

/** `check`: undefined if nobody works with the database. */
async function applyAll(
  owner: DataSource,
  lock: QueryRunner,
  check: MigrationOptions | undefined,
): Promise<string[]> {
  const runner = owner.createQueryRunner();
  await runner.startTransaction();
  const endWatch = check === undefined ? (): void => undefined : await watch(runner, lock);
  try {
    const executor = new MigrationExecutor(owner, runner);
    executor.transaction = 'all';
    if (check !== undefined) await runner.query(`SET LOCAL lock_timeout = '${LONGEST_WAIT_FOR_LOCK}'`);
    const before = check === undefined ? undefined : await readSchema(runner.manager);
    const applied = await executor.executePendingMigrations();
    if (check !== undefined && before !== undefined && applied.length > 0) {
      const after = await readSchema(runner.manager);
      const held = await checksHeldByDefault(runner.manager, before, after);
      const declared = declaredHarmless(applied, check);
      const breaks = findBreaks(before, after, held).filter((each) => !isAccepted(each, check, declared));
      if (breaks.length > 0) throw new MigrationRefused(breaks.map(({ sentence }) => sentence));
    }
    await runner.commitTransaction();
    return applied.map(({ name }) => name);
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  } finally {
    endWatch();
    await runner.release();
  }
}

/** Cancels what the runner does once it has held its locks for too long; answers how to stop watching. */
async function watch(runner: QueryRunner, lock: QueryRunner): Promise<() => void> {
  const [{ pid }] = await runner.query('SELECT pg_backend_pid() AS pid');
  const deadline = Date.now() + LONGEST_MIGRATION_MS;
  const timer = setInterval(() => {
    // Again and again: between two statements there is nothing to cancel.
    if (Date.now() > deadline) lock.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
  }, 250);
  return () => clearInterval(timer);
}

async function wasMigrated(runner: QueryRunner): Promise<boolean> {
  const [{ found }] = await runner.query(`SELECT to_regclass('schema_migration') IS NOT NULL AS found`);
  if (found !== true) return false;
  const [{ some }] = await runner.query('SELECT EXISTS (SELECT FROM schema_migration) AS some');
  return some === true;
}

/** By what is applied now: what an earlier migration has said was about its own work. */
function declaredHarmless(
  applied: readonly { readonly name: string }[],
  { migrations = [] }: MigrationOptions,
): ReadonlySet<string> {
  const names = new Set(applied.map(({ name }) => name));
  const own = migrations.map((each) => new each()).filter(({ name = '' }) => names.has(name));
  return new Set(own.flatMap(({ harmless = {} }) => Object.keys(harmless)));
}

function isAccepted(
  { about, uncertain }: Break,
  { unused = [] }: MigrationOptions,
  declared: ReadonlySet<string>,
): boolean {
  const named = (name: string): boolean =>
    about === name ||
    about.startsWith(`${name}.`) ||
    about.endsWith(`@${name}`) ||
    about.includes(`@${name}.`);
  if (unused.some(named)) return true;
  return uncertain && declared.has(about);
}

function explained(error: unknown, checked: boolean): unknown {
  if (!checked || codeOf(error) !== CANCELLED) return error;
  const seconds = LONGEST_MIGRATION_MS / 1_000;
  return new MigrationRefused([
    `it held its locks for more than ${seconds} s, for which requests would wait`,
  ]);
}

function codeOf(error: unknown): string {
  return error instanceof QueryFailedError && 'code' in error.driverError
    ? String(error.driverError.code)
    : '';
}
