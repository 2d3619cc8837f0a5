import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0035-records-come-from-the-running-system.md: what only people know, and when they assessed what they do. */
export class Records1763900000022 implements MigrationInterface {
  readonly name = 'Records1763900000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE record_fact (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        -- Null: of the whole installation, for every purpose.
        client_id uuid REFERENCES client,
        purpose text,
        -- Names and addresses of persons are among them: under db_encryption_key.
        value bytea NOT NULL,
        UNIQUE NULLS NOT DISTINCT (name, client_id, purpose)
      );
      CREATE TABLE record_assessment (
        id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('impact', 'audit')),
        jurisdiction text NOT NULL,
        policy_revision integer NOT NULL,
        assessed_at timestamptz NOT NULL,
        -- As the policy put it then; null: the law asks for no further one.
        due_at timestamptz,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        FOREIGN KEY (jurisdiction, policy_revision) REFERENCES jurisdiction_policy (jurisdiction, revision)
      );
      GRANT SELECT, INSERT, DELETE ON record_fact TO velum_app;
      GRANT SELECT, UPDATE (value) ON record_fact TO velum_worker;
      GRANT SELECT, INSERT ON record_assessment TO velum_app;
      -- Ids of keys and when each was seen first: the evidence of their age.
      GRANT SELECT ON key_rotation TO velum_app;
    `);
    await changeSealedValues(runner, `)${TAIL}`, `${ADDED})${TAIL}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await changeSealedValues(runner, ADDED, '');
    await runner.query(`
      REVOKE SELECT ON key_rotation FROM velum_app;
      DROP TABLE record_assessment, record_fact;
    `);
  }
}

const TAIL = ' AS v WHERE v.sealed IS NOT NULL GROUP BY 1, 2';
const ADDED = `UNION ALL SELECT 'record_fact.value', value FROM public.record_fact
          `;

/** What the function counts by now stays, whichever migrations added to it. */
async function changeSealedValues(runner: QueryRunner, part: string, by: string): Promise<void> {
  const [{ definition }]: [{ definition: string }] = await runner.query(
    `SELECT pg_get_functiondef('sealed_values()'::regprocedure) AS definition`,
  );
  if (!definition.includes(part)) throw new Error('sealed_values() is not as it was expected');
  await runner.query(definition.replace(part, by));
}
