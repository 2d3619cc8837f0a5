import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0040-keys-that-only-the-custodian-has.md: which keys have wrapped segment secrets, and how far the last one is. */
export class CustodyKeys1763900000027 implements MigrationInterface {
  readonly name = 'CustodyKeys1763900000027';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE custody.wrapping_key (
        key_id text PRIMARY KEY,
        -- In the order in which the keys came: secrets are only ever put under the last one.
        place bigint GENERATED ALWAYS AS IDENTITY,
        seen_at timestamptz NOT NULL DEFAULT now(),
        resealed bigint NOT NULL DEFAULT 0,
        -- When no secret was left under another key.
        ended_at timestamptz
      );
      GRANT SELECT, INSERT, UPDATE (resealed, ended_at) ON custody.wrapping_key TO velum_custodian;
      -- A sealed value begins with the length and the id of its key (libs/platform/keyring.ts).
      CREATE FUNCTION custody.key_of(sealed bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT convert_from(substr(sealed, 2, get_byte(sealed, 0)), 'UTF8')
      $$;
      -- Numbers and ids of keys, for roles that may not read the table.
      CREATE FUNCTION wrapping_keys() RETURNS TABLE (key_id text, resealed bigint, ended_at timestamptz, newest boolean)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT key_id, resealed, ended_at, place = max(place) OVER () FROM custody.wrapping_key
        $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION wrapping_keys();
      DROP FUNCTION custody.key_of(bytea);
      DROP TABLE custody.wrapping_key;
    `);
  }
}
