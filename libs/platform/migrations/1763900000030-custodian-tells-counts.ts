import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * docs/adr/0033-incidents-and-detectors.md: detectors are told numbers of the custodian's own records, and see what went past
 * the audit log. docs/adr/0040-keys-that-only-the-custodian-has.md: until when a rotation waits for it.
 */
export class CustodianTellsCounts1763900000030 implements MigrationInterface {
  readonly name = 'CustodianTellsCounts1763900000030';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE match_hour
        -- Scores that the custodian opened in the gallery, for whomever.
        ADD COLUMN opened bigint NOT NULL DEFAULT 0,
        -- Verifications and searches that the audit log has, refused ones included: no more openings than these.
        ADD COLUMN audited bigint NOT NULL DEFAULT 0;
      GRANT UPDATE (opened, audited) ON match_hour TO velum_worker;

      -- Whom the request named as its client is the caller's to choose: what is opened in a gallery is its own client's.
      CREATE FUNCTION custody_openings(since timestamptz, until timestamptz)
        RETURNS TABLE (client_id uuid, gallery_id uuid, opened bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT g.client_id, g.id, count(*) FROM custody.opening o JOIN public.gallery g ON g.id = o.gallery_id
          WHERE o.at >= since AND o.at < until AND o.outcome = 'opened'
          GROUP BY g.id
        $$;

      CREATE FUNCTION custody_refusals(since timestamptz, fewest integer)
        RETURNS TABLE (gallery_id uuid, refusals bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT o.gallery_id, count(*) FROM custody.opening o
          WHERE o.at >= since AND o.outcome IN ('refused', 'limited')
          GROUP BY o.gallery_id HAVING count(*) >= fewest
        $$;

      -- A search has an entry for each person that it names, and each says how many these are.
      CREATE FUNCTION audited_openings(since timestamptz, until timestamptz)
        RETURNS TABLE (client_id uuid, gallery_id uuid, matches bigint, audited bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT e.client_id, e.gallery_id, count(*) FILTER (WHERE e.outcome <> 'refused'), ceil(sum(
            CASE WHEN e.type = 'gallery.identified' AND e.outcome = 'match'
              THEN 1.0 / greatest(1, coalesce((e.details->>'candidates')::integer, 1)) ELSE 1 END) - 0.001)::bigint
          FROM public.audit_event e
          WHERE e.type IN ('subject.verified', 'gallery.identified')
            AND e.id >= public.first_audit_id(since) AND e.id < public.first_audit_id(until)
            AND e.client_id IS NOT NULL AND e.gallery_id IS NOT NULL
          GROUP BY e.client_id, e.gallery_id
        $$;

      REVOKE ALL ON FUNCTION custody_openings(timestamptz, timestamptz), custody_refusals(timestamptz, integer),
        audited_openings(timestamptz, timestamptz) FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION custody_openings(timestamptz, timestamptz), custody_refusals(timestamptz, integer),
        audited_openings(timestamptz, timestamptz) TO velum_worker;

      ALTER TABLE key_set_rotation ADD COLUMN adopted_at timestamptz;
      GRANT UPDATE (adopted_at) ON key_set_rotation TO velum_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE key_set_rotation DROP COLUMN adopted_at;
      DROP FUNCTION custody_openings(timestamptz, timestamptz);
      DROP FUNCTION custody_refusals(timestamptz, integer);
      DROP FUNCTION audited_openings(timestamptz, timestamptz);
      ALTER TABLE match_hour DROP COLUMN opened, DROP COLUMN audited;
    `);
  }
}
