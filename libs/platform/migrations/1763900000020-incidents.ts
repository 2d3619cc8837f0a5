import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0033-incidents-and-detectors.md. */
export class Incidents1763900000020 implements MigrationInterface {
  readonly name = 'Incidents1763900000020';
  readonly harmless = COUNTS_MORE;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(COUNTS);
    await runner.query(RIGHTS);
    await countSealed(runner, 'incident', ['title', 'description']);
    await countSealed(runner, 'incident_entry', ['text']);
    await countSealed(runner, 'incident_notice', ['text']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'incident_notice', ['text']);
    await countSealedNoMore(runner, 'incident_entry', ['text']);
    await countSealedNoMore(runner, 'incident', ['title', 'description']);
    await runner.query(`
      DROP FUNCTION audited_refusals(timestamptz, integer);
      DROP FUNCTION audited_matches(timestamptz, timestamptz);
      DROP FUNCTION count_audited(text, timestamptz);
      DROP FUNCTION first_audit_id(timestamptz);
      DROP TABLE match_hour, incident_notice, incident_subject, incident_query, incident_duty, incident_entry,
        incident_transition, incident;
    `);
  }
}

const TABLES = `
  CREATE TABLE incident (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'assessed', 'contained', 'closed')),
    -- Free text, under db_encryption_key.
    title bytea NOT NULL,
    description bytea NOT NULL,
    occurred_from timestamptz,
    occurred_to timestamptz,
    known_at timestamptz NOT NULL,
    -- Null until it was assessed.
    breach boolean,
    risk text CHECK (risk IN ('none', 'low', 'high')),
    opened_at timestamptz NOT NULL DEFAULT now(),
    -- What a detector found, and on which day; null where a person opened it.
    detector text,
    cause text,
    found_on date,
    CHECK ((breach IS NULL) = (risk IS NULL)),
    CHECK ((detector IS NULL) = (cause IS NULL) AND (detector IS NULL) = (found_on IS NULL)),
    CONSTRAINT incident_of_cause UNIQUE (detector, cause, found_on)
  );
  CREATE INDEX incident_unclosed ON incident (id) WHERE state <> 'closed';

  CREATE TABLE incident_transition (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incident,
    step text NOT NULL,
    state text NOT NULL,
    breach boolean,
    risk text,
    at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX incident_transition_of ON incident_transition (incident_id, id);

  CREATE TABLE incident_entry (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incident,
    kind text NOT NULL,
    language text NOT NULL,
    text bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX incident_entry_of ON incident_entry (incident_id, id);

  -- Due dates as the policy of the moment had them; a later revision moves none.
  CREATE TABLE incident_duty (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incident,
    jurisdiction text NOT NULL,
    duty text NOT NULL,
    addressee text NOT NULL,
    revision integer NOT NULL,
    source text NOT NULL,
    from_risk text NOT NULL,
    due_at timestamptz NOT NULL,
    required boolean NOT NULL DEFAULT true,
    reminded_at timestamptz,
    overdue_at timestamptz,
    met_at timestamptz,
    reference text,
    UNIQUE (incident_id, jurisdiction, duty)
  );
  CREATE INDEX incident_duty_unmet ON incident_duty (due_at) WHERE required AND met_at IS NULL;

  CREATE TABLE incident_query (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incident,
    filter jsonb NOT NULL,
    found integer NOT NULL,
    added integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX incident_query_of ON incident_query (incident_id, id);

  CREATE TABLE incident_subject (
    incident_id uuid NOT NULL REFERENCES incident,
    subject_id uuid NOT NULL REFERENCES subject,
    client_id uuid NOT NULL REFERENCES client,
    jurisdiction text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'handed_over', 'delivered', 'failed')),
    released_at timestamptz,
    -- Of webhook_delivery, which forgets after 30 days.
    delivery_ids uuid[],
    handed_at timestamptz,
    ended_at timestamptz,
    channel text,
    PRIMARY KEY (incident_id, subject_id)
  );
  CREATE INDEX incident_subject_of_client ON incident_subject (client_id, incident_id, subject_id);
  CREATE INDEX incident_subject_in_webhooks ON incident_subject (incident_id, subject_id)
    WHERE state = 'pending' AND delivery_ids IS NOT NULL;

  -- What persons were told, word for word.
  CREATE TABLE incident_notice (
    id uuid PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incident,
    jurisdiction text NOT NULL,
    language text NOT NULL,
    text bytea NOT NULL,
    released_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX incident_notice_of ON incident_notice (incident_id, jurisdiction, language, id);

  -- Comparisons of an hour: a detector compares with earlier days without reading their entries again.
  CREATE TABLE match_hour (
    hour timestamptz NOT NULL,
    client_id uuid NOT NULL,
    gallery_id uuid NOT NULL,
    matches bigint NOT NULL,
    PRIMARY KEY (hour, client_id, gallery_id)
  );
`;

/** The worker may not read the audit log: it is told numbers. Ranges of ids, which begin with their time (RFC 9562 5.7). */
const COUNTS = `
  CREATE FUNCTION first_audit_id(since timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, public, pg_temp AS $$
      SELECT (lpad(to_hex(floor(extract(epoch FROM since) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
    $$;

  CREATE FUNCTION audited_refusals(since timestamptz, fewest integer)
    RETURNS TABLE (kind text, cause text, refusals bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      WITH refused AS MATERIALIZED (
        SELECT client_id, ip_hash FROM public.audit_event
        WHERE id >= public.first_audit_id(since) AND outcome = 'refused')
      SELECT 'client', client_id::text, count(*) FROM refused WHERE client_id IS NOT NULL
        GROUP BY client_id HAVING count(*) >= fewest
      UNION ALL
      SELECT 'address', ip_hash, count(*) FROM refused WHERE ip_hash IS NOT NULL
        GROUP BY ip_hash HAVING count(*) >= fewest
    $$;

  CREATE FUNCTION audited_matches(since timestamptz, until timestamptz)
    RETURNS TABLE (client_id uuid, gallery_id uuid, matches bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      SELECT e.client_id, e.gallery_id, count(*) FROM public.audit_event e
      WHERE e.type IN ('subject.verified', 'gallery.identified') AND e.outcome <> 'refused'
        AND e.id >= public.first_audit_id(since) AND e.id < public.first_audit_id(until)
        AND e.client_id IS NOT NULL AND e.gallery_id IS NOT NULL
      GROUP BY e.client_id, e.gallery_id
    $$;

  CREATE FUNCTION count_audited(which text, since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      SELECT count(*) FROM public.audit_event WHERE type = which AND id >= public.first_audit_id(since)
    $$;
`;

const RIGHTS = `
  REVOKE ALL ON FUNCTION audited_refusals(timestamptz, integer), audited_matches(timestamptz, timestamptz),
    count_audited(text, timestamptz) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION audited_refusals(timestamptz, integer), audited_matches(timestamptz, timestamptz),
    count_audited(text, timestamptz) TO velum_worker;
  GRANT SELECT, INSERT, UPDATE (state, breach, risk) ON incident TO velum_app;
  GRANT SELECT, INSERT ON incident_transition, incident_entry, incident_query, incident_notice TO velum_app;
  GRANT SELECT, INSERT, UPDATE (required, met_at, reference) ON incident_duty TO velum_app;
  GRANT SELECT, INSERT, UPDATE (state, released_at, delivery_ids, handed_at, ended_at, channel) ON incident_subject
    TO velum_app;
  -- Detectors open incidents and do nothing further to them; title, description and texts are only put under new keys.
  GRANT SELECT, INSERT, UPDATE (title, description) ON incident TO velum_worker;
  GRANT INSERT ON incident_transition TO velum_worker;
  GRANT SELECT, UPDATE (text) ON incident_entry, incident_notice TO velum_worker;
  GRANT SELECT, UPDATE (reminded_at, overdue_at) ON incident_duty TO velum_worker;
  GRANT SELECT, UPDATE (state, handed_at) ON incident_subject TO velum_worker;
  GRANT SELECT, INSERT, UPDATE (matches), DELETE ON match_hour TO velum_worker;
`;
