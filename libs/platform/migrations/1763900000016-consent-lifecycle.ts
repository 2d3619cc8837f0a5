import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0027-signed-statements.md, docs/adr/0028-itemised-notices.md. */
export class ConsentLifecycle1763900000016 implements MigrationInterface {
  readonly name = 'ConsentLifecycle1763900000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE statement_key (
        id uuid PRIMARY KEY,
        kid text NOT NULL UNIQUE,
        public_jwk jsonb NOT NULL,
        -- What was signed is checked with the public key; a retired one signs nothing any more.
        private_key bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        retired_at timestamptz,
        CHECK ((private_key IS NULL) = (retired_at IS NOT NULL))
      );
      CREATE UNIQUE INDEX statement_key_one_signs ON statement_key ((retired_at IS NULL)) WHERE retired_at IS NULL;
      GRANT SELECT, INSERT, UPDATE (private_key, retired_at) ON statement_key TO velum_app;
      GRANT SELECT, INSERT, UPDATE (private_key) ON statement_key TO velum_worker;

      CREATE OR REPLACE FUNCTION sealed_values() RETURNS TABLE (name text, key_id text, count bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
          SELECT v.name, convert_from(substr(v.sealed, 2, get_byte(v.sealed, 0)), 'UTF8'), count(*)
          FROM (
            SELECT 'custody.segment.secret' AS name, secret AS sealed FROM custody.segment
            UNION ALL SELECT 'subject.reference', reference FROM public.subject
            UNION ALL SELECT 'webhook.url', url FROM public.webhook
            UNION ALL SELECT 'webhook.secret', secret FROM public.webhook
            UNION ALL SELECT 'job.spool_key', spool_key FROM public.job
            UNION ALL SELECT 'statement_key.private_key', private_key FROM public.statement_key
          ) AS v WHERE v.sealed IS NOT NULL GROUP BY 1, 2
        $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION sealed_values() RETURNS TABLE (name text, key_id text, count bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
          SELECT v.name, convert_from(substr(v.sealed, 2, get_byte(v.sealed, 0)), 'UTF8'), count(*)
          FROM (
            SELECT 'custody.segment.secret' AS name, secret AS sealed FROM custody.segment
            UNION ALL SELECT 'subject.reference', reference FROM public.subject
            UNION ALL SELECT 'webhook.url', url FROM public.webhook
            UNION ALL SELECT 'webhook.secret', secret FROM public.webhook
            UNION ALL SELECT 'job.spool_key', spool_key FROM public.job
          ) AS v WHERE v.sealed IS NOT NULL GROUP BY 1, 2
        $$;
      DROP TABLE statement_key;
    `);
  }
}
