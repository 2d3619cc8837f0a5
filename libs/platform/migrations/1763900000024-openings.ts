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

      ${CHARGE}
      -- DPDP Rules 2025, rule 6(1)(e): logs are kept for a year. The custodian's role cannot remove a younger record.
      CREATE FUNCTION custody.forget_openings() RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
          DELETE FROM custody.opening WHERE at < now() - interval '1 year'
        $$;
      REVOKE ALL ON FUNCTION custody.forget_openings(), custody.charge_openings(text[], uuid[], integer[], integer[],
        integer[], integer[], integer[]) FROM PUBLIC;

      GRANT SELECT, INSERT ON custody.opening TO velum_custodian;
      GRANT EXECUTE ON FUNCTION custody.forget_openings(), custody.charge_openings(text[], uuid[], integer[], integer[],
        integer[], integer[], integer[]) TO velum_custodian;
      GRANT SELECT, INSERT, DELETE, UPDATE (minute, in_minute, in_day, strikes, blocked_until)
        ON custody.opening_count TO velum_custodian;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION custody.forget_openings();
      DROP FUNCTION custody.charge_openings(text[], uuid[], integer[], integer[], integer[], integer[], integer[]);
      DROP TABLE custody.opening_count, custody.opening;
    `);
  }
}

/**
 * Grants of each key as many as are left, in minutes and days of the clock by UTC. What asks for more is refused until the
 * minute ends, and 15, 45, 105 … seconds longer each time that it happens again within an hour; then it counts anew. What
 * is refused does not count against the limit that refused it, and prolongs nothing. Rows are locked in one order, so that
 * replicas cannot deadlock. Two replicas that meet a key for the first time of the day at the same moment find no row to
 * lock, and may both grant. That it is committed without waiting for the disk means that a crash of PostgreSQL may forget
 * half a second of counting.
 *
 * A function, because it keeps its plan: making one takes three times as long as carrying it out.
 */
const CHARGE = `
      CREATE FUNCTION custody.charge_openings(kinds text[], ids uuid[], slots integer[], counts integer[],
        minute_limits integer[], day_limits integer[], longest_back_offs integer[])
      RETURNS TABLE (kind text, id uuid, slot integer, granted integer, wait integer)
      LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        #variable_conflict use_column
        BEGIN
          PERFORM set_config('synchronous_commit', 'off', true);
          RETURN QUERY
          WITH asked AS (
            SELECT * FROM unnest(kinds, ids, slots, counts, minute_limits, day_limits, longest_back_offs)
              AS a (kind, id, slot, asked, per_minute, per_day, longest)
          ), held AS MATERIALIZED (
            SELECT c.* FROM custody.opening_count c JOIN asked USING (kind, id, slot) ORDER BY kind, id, slot
            FOR UPDATE OF c
          ), before AS (
            SELECT a.*, date_trunc('minute', now()) AS minute,
              CASE WHEN h.minute = date_trunc('minute', now()) THEN h.in_minute ELSE 0 END AS in_minute,
              CASE WHEN h.minute >= date_trunc('day', now(), 'UTC') THEN h.in_day ELSE 0 END AS in_day,
              CASE WHEN h.blocked_until > now() - interval '1 hour' THEN h.strikes ELSE 0 END AS strikes,
              coalesce(h.blocked_until, '-infinity') AS blocked_until
            FROM asked a LEFT JOIN held h USING (kind, id, slot)
          ), judged AS (
            SELECT *, blocked_until > now() AS blocked, CASE WHEN blocked_until > now() THEN 0
              ELSE greatest(0, least(asked, per_minute - in_minute, per_day - in_day)) END AS granted
            FROM before
          ), after AS (
            SELECT *,
              strikes + CASE WHEN NOT blocked AND granted < asked THEN 1 ELSE 0 END AS struck,
              CASE WHEN blocked OR granted = asked THEN blocked_until
                WHEN in_day + granted >= per_day THEN date_trunc('day', now(), 'UTC') + interval '1 day'
                ELSE minute + interval '1 minute'
                  + make_interval(secs => least(longest, 15 * (2 ^ least(strikes, 12) - 1)))
              END AS until
            FROM judged
          ), kept AS (
            INSERT INTO custody.opening_count AS c (kind, id, slot, minute, in_minute, in_day, strikes, blocked_until)
            SELECT kind, id, slot, minute, granted, granted, struck, until FROM after
            ON CONFLICT (kind, id, slot) DO UPDATE SET minute = excluded.minute, strikes = excluded.strikes,
              blocked_until = excluded.blocked_until,
              in_minute = CASE WHEN c.minute = excluded.minute THEN c.in_minute ELSE 0 END + excluded.in_minute,
              in_day = CASE WHEN c.minute >= date_trunc('day', now(), 'UTC') THEN c.in_day ELSE 0 END + excluded.in_day
          )
          SELECT kind, id, slot, granted,
            CASE WHEN granted = asked THEN 0 ELSE ceil(extract(epoch FROM until - now()))::integer END
          FROM after;
        END $$;
`;
