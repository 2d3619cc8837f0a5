import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0037-the-custodian-judges-what-it-opens.md. */
export class Openings1763900000024 implements MigrationInterface {
  readonly name = 'Openings1763900000024';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE custody.opening (
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        client_id uuid NOT NULL,
        gallery_id uuid NOT NULL,
        segments integer NOT NULL,
        slots integer NOT NULL,
        threshold integer NOT NULL,
        -- How many reached the threshold and were answered.
        passed integer NOT NULL,
        -- How many did and were not, as they had been too often that day.
        withheld integer NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('opened', 'limited', 'refused'))
      );
      CREATE INDEX opening_at ON custody.opening USING brin (at);

      -- A template is named by its segment and slot: the custodian knows no subjects.
      CREATE TABLE custody.opening_count (
        kind text NOT NULL CHECK (kind IN ('client', 'gallery', 'template')),
        id uuid NOT NULL,
        slot integer NOT NULL,
        minute timestamptz NOT NULL,
        in_minute integer NOT NULL,
        in_day integer NOT NULL,
        strikes integer NOT NULL,
        blocked_until timestamptz NOT NULL,
        PRIMARY KEY (kind, id, slot)
      ) WITH (fillfactor = 70);

      -- DPDP Rules 2025, rule 6(1)(e): logs are kept for a year. The custodian's role cannot remove a younger record.
      CREATE FUNCTION custody.forget_openings() RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
          DELETE FROM custody.opening WHERE at < now() - interval '1 year'
        $$;
      REVOKE ALL ON FUNCTION custody.forget_openings() FROM PUBLIC;

      GRANT SELECT, INSERT ON custody.opening TO velum_custodian;
      GRANT EXECUTE ON FUNCTION custody.forget_openings() TO velum_custodian;
      GRANT SELECT, INSERT, DELETE, UPDATE (minute, in_minute, in_day, strikes, blocked_until)
        ON custody.opening_count TO velum_custodian;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION custody.forget_openings();
      DROP TABLE custody.opening_count, custody.opening;
    `);
  }
}
