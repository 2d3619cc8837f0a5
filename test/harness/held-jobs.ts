import { Client } from 'pg';
import { expect, vi } from 'vitest';
import type { Stack } from './stack.js';

/** A worker begins items; writes them down; says in the job's row that it has. */
const STEPS = ['UPDATE ON job_item', 'INSERT ON job_record', 'UPDATE OF records_file ON job'] as const;

export type Step = (typeof STEPS)[number];

/** Keeps whatever does this from going on, until it is let go or the server ends. */
export async function hold(stack: Stack, step: Step): Promise<{ letGo: () => Promise<void> }> {
  const holder = new Client({ connectionString: stack.urls.owner });
  await holder.connect();
  // The database may be gone first.
  holder.on('error', () => undefined);
  const lock = 4711 + STEPS.indexOf(step);
  await holder.query('SELECT pg_advisory_lock($1)', [lock]);
  await stack.owner.query(
    `CREATE OR REPLACE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::int); RETURN NULL; END $$;
     CREATE TRIGGER wait_for_test AFTER ${step} FOR EACH STATEMENT EXECUTE FUNCTION wait_for_test('${lock}')`,
  );
  return {
    letGo: async () => {
      await holder.query('SELECT pg_advisory_unlock($1)', [lock]);
      // Once whoever waited is through.
      await holder.query(`DROP TRIGGER wait_for_test ON ${step.replace(/.* ON /, '')}`);
      await holder.end();
    },
  };
}

/** Somebody waits for a lock in a statement that says this. */
export async function untilWaiting(stack: Stack, statement: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { rowCount } = await stack.owner.query(
        `SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND strpos(query, $1) > 0`,
        [statement],
      );
      expect(rowCount).toBeGreaterThan(0);
    },
    { timeout: 20_000, interval: 50 },
  );
}
