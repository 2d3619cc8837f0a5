import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0020-roles-of-their-own.md: what each process may do, and nothing else. */
export class Roles1763900000011 implements MigrationInterface {
  readonly name = 'Roles1763900000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DO $$
        DECLARE missing text;
        BEGIN
          SELECT string_agg(name, ', ') INTO missing FROM unnest(ARRAY['velum_worker', 'velum_custodian']) AS name
            WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
          IF missing IS NOT NULL THEN
            RAISE EXCEPTION 'Roles are missing: %. infra/postgres/roles.sql makes them.', missing;
          END IF;
        END $$;

      REVOKE ALL ON ALL TABLES IN SCHEMA public FROM velum_app;
      REVOKE ALL ON ALL TABLES IN SCHEMA custody FROM velum_app;
      REVOKE ALL ON SCHEMA custody FROM velum_app;

      -- A lock (SELECT … FOR SHARE, FOR UPDATE) asks for the right to update some column.
      GRANT SELECT, INSERT, UPDATE (secret_hash, disabled_at) ON client TO velum_app;
      GRANT SELECT, INSERT ON revoked_token, idempotency_key, notice, consent_fact, audit_event, outbox, webhook_delivery
        TO velum_app;
      GRANT SELECT, INSERT, UPDATE (reference, reference_index, erased_at) ON subject TO velum_app;
      GRANT SELECT, INSERT, UPDATE (ended_at, version) ON consent TO velum_app;
      GRANT SELECT, INSERT, UPDATE (version) ON consent_version TO velum_app;
      GRANT SELECT, INSERT, UPDATE (version), DELETE ON gallery TO velum_app;
      GRANT SELECT, INSERT, DELETE ON template, template_removal TO velum_app;
      GRANT SELECT, INSERT, UPDATE (state, ended_at, spool_key) ON job TO velum_app;
      GRANT SELECT ON job_item TO velum_app;
      GRANT SELECT, INSERT, UPDATE (disabled_at), DELETE ON webhook TO velum_app;

      GRANT SELECT ON client TO velum_worker;
      GRANT SELECT, DELETE ON revoked_token, idempotency_key, erasure_journal TO velum_worker;
      GRANT SELECT, INSERT, UPDATE (relayed_at, done_at), DELETE ON outbox TO velum_worker;
      GRANT SELECT, UPDATE (reference, reference_index, erased_at) ON subject TO velum_worker;
      GRANT SELECT, UPDATE (ended_at, version) ON consent TO velum_worker;
      GRANT SELECT, INSERT, UPDATE (version) ON consent_version TO velum_worker;
      GRANT SELECT, INSERT ON consent_fact, template_removal TO velum_worker;
      GRANT INSERT ON audit_event TO velum_worker;
      GRANT SELECT, UPDATE (version) ON gallery TO velum_worker;
      GRANT SELECT, INSERT, DELETE ON template TO velum_worker;
      GRANT SELECT, DELETE, UPDATE (state, code, spool_key, input_starts, total, done, refused, failed, pairs,
        started_at, ended_at) ON job TO velum_worker;
      GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, code, input, result, ended_at) ON job_item TO velum_worker;
      GRANT SELECT, UPDATE (disabled_at) ON webhook TO velum_worker;
      GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_delivery TO velum_worker;
      GRANT SELECT, UPDATE (number) ON erasure_shipment TO velum_worker;

      GRANT USAGE ON SCHEMA custody TO velum_custodian;
      GRANT SELECT, INSERT, DELETE ON custody.key_set TO velum_custodian;
      GRANT SELECT, INSERT, UPDATE (used) ON custody.segment TO velum_custodian;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      REVOKE ALL ON ALL TABLES IN SCHEMA public FROM velum_worker;
      REVOKE ALL ON ALL TABLES IN SCHEMA custody FROM velum_custodian;
      REVOKE ALL ON SCHEMA custody FROM velum_custodian;
      GRANT SELECT, INSERT, DELETE ON idempotency_key, revoked_token, template, template_removal TO velum_app;
      GRANT SELECT, INSERT, UPDATE ON client, subject, consent, consent_version TO velum_app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, gallery, webhook, webhook_delivery, job, job_item TO velum_app;
      GRANT SELECT, DELETE ON erasure_journal TO velum_app;
      GRANT SELECT, UPDATE ON erasure_shipment TO velum_app;
      GRANT USAGE ON SCHEMA custody TO velum_app;
      GRANT SELECT, INSERT, DELETE ON custody.key_set, custody.segment TO velum_app;
      GRANT UPDATE (used) ON custody.segment TO velum_app;
    `);
  }
}
