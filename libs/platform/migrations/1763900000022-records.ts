import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0035-records-come-from-the-running-system.md: what only people know, and when they assessed what they do. */
export class Records1763900000022 implements MigrationInterface {
  readonly name = 'Records1763900000022';
  readonly harmless = COUNTS_MORE;

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
    await countSealed(runner, 'record_fact', ['value']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'record_fact', ['value']);
    await runner.query(`
      REVOKE SELECT ON key_rotation FROM velum_app;
      DROP TABLE record_assessment, record_fact;
    `);
  }
}
