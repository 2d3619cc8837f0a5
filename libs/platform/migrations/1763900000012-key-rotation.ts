import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0022-rotation.md: what is under an old key of db_encryption_key is put under the new one. */
export class KeyRotation1763900000012 implements MigrationInterface {
  readonly name = 'KeyRotation1763900000012';
  readonly harmless = {
    'custody.keep_used()': 'what the version before changes of a segment, it lets through as before',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE key_rotation (
        key_id text PRIMARY KEY,
        -- In the order in which the keys came: values are only ever put under the last one.
        place bigint GENERATED ALWAYS AS IDENTITY,
        seen_at timestamptz NOT NULL DEFAULT now(),
        resealed bigint NOT NULL DEFAULT 0,
        -- When nothing was left under another key.
        ended_at timestamptz
      );
      -- Of a segment either more slots are used or its secret is sealed anew: never both, and nothing else changes.
      CREATE OR REPLACE FUNCTION custody.keep_used() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.used < OLD.used OR NEW.gallery_id <> OLD.gallery_id OR NEW.id <> OLD.id
            OR (NEW.used = OLD.used) = (NEW.secret = OLD.secret) THEN
            RAISE EXCEPTION 'a used slot is never given again';
          END IF;
          RETURN NEW;
        END $$;
      GRANT UPDATE (secret) ON custody.segment TO velum_custodian;
      GRANT UPDATE (url, secret) ON webhook TO velum_worker;
      GRANT SELECT, INSERT, UPDATE (resealed, ended_at) ON key_rotation TO velum_worker;
      GRANT SELECT, UPDATE (resealed, ended_at) ON key_rotation TO velum_custodian;
      -- Numbers and ids of keys for every role, also of what it may not read. A sealed value begins with the length and the
      -- id of its key (libs/platform/keyring.ts).
      CREATE FUNCTION sealed_values() RETURNS TABLE (name text, key_id text, count bigint)
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
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION sealed_values();
      DROP TABLE key_rotation;
      REVOKE UPDATE (secret) ON custody.segment FROM velum_custodian;
      REVOKE UPDATE (url, secret) ON webhook FROM velum_worker;
      CREATE OR REPLACE FUNCTION custody.keep_used() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.used <= OLD.used OR NEW.secret <> OLD.secret OR NEW.gallery_id <> OLD.gallery_id THEN
            RAISE EXCEPTION 'a used slot is never given again';
          END IF;
          RETURN NEW;
        END $$;
    `);
  }
}
