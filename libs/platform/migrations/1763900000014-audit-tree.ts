import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0024-audit-tree.md and 0025-forgetting-in-the-audit-log.md. */
export class AuditTree1763900000014 implements MigrationInterface {
  readonly name = 'AuditTree1763900000014';
  readonly harmless = {
    'public.audit_event.queue_audit_events':
      'it refuses nothing: it notes that there is an entry to be given a leaf',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(FUNCTIONS);
    await runner.query(PAST);
    await runner.query(RIGHTS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER queue_audit_events ON audit_event;
      DROP FUNCTION queue_audit_events();
      DROP FUNCTION unsealed_audit_entries(integer);
      DROP FUNCTION last_audited_restore();
      DROP FUNCTION seal_audit_entries(uuid[], bytea[], bytea[]);
      DROP FUNCTION forget_audit_entries(uuid, uuid);
      DROP FUNCTION queue_past_audit_entries(integer);
      DROP FUNCTION subjects_left_in_audit_log(integer);
      DROP TABLE audit_past, audit_forgotten, audit_pending, audit_leaf, audit_tile, audit_checkpoint, audit_key;
      ALTER TABLE audit_event DROP COLUMN salt, DROP COLUMN commitment;
    `);
  }
}

const TABLES = `
  -- The commitment holds nobody's data: without the salt it is 33 bytes that fit any content.
  ALTER TABLE audit_event
    ADD COLUMN salt bytea CHECK (octet_length(salt) = 32),
    ADD COLUMN commitment bytea CHECK (octet_length(commitment) = 33 AND get_byte(commitment, 0) IN (1, 2)),
    -- Whoever may insert entries must not be able to stop what makes leaves of them, or an erasure.
    ADD CONSTRAINT audit_event_sealed CHECK ((salt IS NULL) = (commitment IS NULL));
  CREATE UNIQUE INDEX audit_event_commitment ON audit_event (commitment) WHERE commitment IS NOT NULL;

  -- Committed entries that have no leaf yet, in the order in which they get one.
  CREATE TABLE audit_pending (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null: forgotten before its turn.
    event_id uuid UNIQUE,
    -- Null: written by who knew nothing of the tree; the sequencer commits to it.
    commitment bytea,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX audit_pending_unsealed ON audit_pending (n) WHERE commitment IS NULL;

  CREATE TABLE audit_leaf (
    leaf_index bigint PRIMARY KEY CHECK (leaf_index >= 0),
    -- Null: forgotten.
    event_id uuid UNIQUE,
    commitment bytea NOT NULL
  );
  -- C2SP tlog-tiles: the hashes of 256 nodes in a row; a node of level n + 1 is the root of a full row of level n.
  CREATE TABLE audit_tile (
    level smallint NOT NULL,
    tile_index bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, tile_index)
  );
  CREATE TABLE audit_checkpoint (
    -- Without a gap, so that one that is missing shows.
    n bigint PRIMARY KEY,
    tree_size bigint NOT NULL UNIQUE,
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  -- The public keys that checkpoints were signed with, as C2SP signed-note writes them.
  CREATE TABLE audit_key (
    vkey text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
  );
  -- What was forgotten, and the record that says so: whoever forgets without recording it cannot commit.
  CREATE TABLE audit_forgotten (
    commitment bytea PRIMARY KEY,
    record_id uuid NOT NULL REFERENCES audit_event DEFERRABLE INITIALLY DEFERRED
  );
  CREATE INDEX audit_forgotten_under ON audit_forgotten (record_id);
`;

const FUNCTIONS = `
  CREATE FUNCTION queue_audit_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
      INSERT INTO public.audit_pending (event_id, commitment) SELECT id, commitment FROM written ORDER BY id;
      RETURN NULL;
    END $$;
  CREATE TRIGGER queue_audit_events AFTER INSERT ON audit_event
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION queue_audit_events();

  -- Locks what it answers, and leaves out what somebody else has locked: an erasure may be under way.
  CREATE FUNCTION unsealed_audit_entries(most integer) RETURNS TABLE (n bigint, event json)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      -- Nothing was committed to, and nothing is left to commit to.
      DELETE FROM public.audit_pending q WHERE q.commitment IS NULL
        AND NOT EXISTS (SELECT FROM public.audit_event e WHERE e.id = q.event_id);
      SELECT p.n, json_build_object(
               'id', e.id, 'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'type', e.type,
               'outcome', e.outcome, 'code', e.code, 'clientId', e.client_id, 'subjectId', e.subject_id,
               'galleryId', e.gallery_id, 'requestId', e.request_id, 'ipHash', e.ip_hash, 'details', e.details)
      FROM public.audit_pending p JOIN public.audit_event e ON e.id = p.event_id
      WHERE p.commitment IS NULL ORDER BY p.n LIMIT most FOR UPDATE OF p, e SKIP LOCKED
    $$;

  -- A restored database is set back: what it signs from then on must not look like what was signed before it was lost.
  CREATE FUNCTION last_audited_restore() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      SELECT id FROM public.audit_event WHERE type = 'database.restored' ORDER BY id DESC LIMIT 1
    $$;

  -- Once and never again: what has a commitment keeps it.
  CREATE FUNCTION seal_audit_entries(ids uuid[], salts bytea[], commitments bytea[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
      UPDATE public.audit_event e SET salt = s.salt, commitment = s.commitment
        FROM unnest(ids, salts, commitments) AS s (id, salt, commitment)
        WHERE e.id = s.id AND e.salt IS NULL AND e.commitment IS NULL;
      UPDATE public.audit_pending p SET commitment = e.commitment
        FROM public.audit_event e WHERE e.id = ANY (ids) AND p.event_id = e.id AND p.commitment IS NULL;
    END $$;

  -- The only way to remove entries: those of somebody who is erased, all of them, under a record that must follow.
  CREATE FUNCTION forget_audit_entries(erased uuid, record uuid, OUT entries integer, OUT digest text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE ids uuid[]; gone bytea[];
    BEGIN
      IF NOT EXISTS (SELECT FROM public.subject WHERE id = erased AND erased_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the subject is not erased';
      END IF;
      WITH removed AS (
        DELETE FROM public.audit_event WHERE subject_id = erased AND type <> 'subject.erased' RETURNING id, commitment)
      SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(commitment) FILTER (WHERE commitment IS NOT NULL), '{}')
        INTO ids, gone FROM removed;
      -- What nothing was committed to gets no leaf. Pending before leaf: the sequencer may move some between the two.
      DELETE FROM public.audit_pending WHERE event_id = ANY (ids) AND commitment IS NULL;
      UPDATE public.audit_pending SET event_id = NULL WHERE event_id = ANY (ids);
      UPDATE public.audit_leaf SET event_id = NULL WHERE event_id = ANY (ids);
      INSERT INTO public.audit_forgotten (commitment, record_id) SELECT unnest(gone), record
        -- A commitment that was written once more, after it was forgotten: the verifier's business, no reason not to erase.
        ON CONFLICT DO NOTHING;
      entries := cardinality(gone);
      SELECT encode(sha256(coalesce(string_agg(c, ''::bytea ORDER BY c), ''::bytea)), 'hex') INTO digest
        FROM unnest(gone) AS c;
    END $$;
`;

/** Entries of before are queued by the worker, portion by portion: a migration must not hold its locks for long. */
const PAST = `
  CREATE TABLE audit_past (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Queued up to here, of those up to there. No row: all are.
    queued uuid NOT NULL,
    last uuid NOT NULL
  );
  INSERT INTO audit_past (queued, last)
    SELECT '00000000-0000-0000-0000-000000000000', id FROM audit_event ORDER BY id DESC LIMIT 1;

  CREATE FUNCTION queue_past_audit_entries(most integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE begun uuid; ending uuid; upto uuid;
    BEGIN
      SELECT queued, last INTO begun, ending FROM public.audit_past FOR UPDATE;
      SELECT id INTO upto FROM (
        SELECT id FROM public.audit_event WHERE id > begun AND id <= ending ORDER BY id LIMIT most) AS portion
        ORDER BY id DESC LIMIT 1;
      IF upto IS NULL THEN
        DELETE FROM public.audit_past;
        RETURN;
      END IF;
      -- Of people who were erased before the log could forget, nothing was promised: they get no leaves.
      WITH gone AS (
        DELETE FROM public.audit_event e USING public.subject s
        WHERE e.id > begun AND e.id <= upto AND e.commitment IS NULL AND e.type <> 'subject.erased'
          AND s.id = e.subject_id AND s.erased_at IS NOT NULL RETURNING e.id)
      DELETE FROM public.audit_pending WHERE event_id IN (SELECT id FROM gone);
      INSERT INTO public.audit_pending (event_id)
        SELECT id FROM public.audit_event e WHERE id > begun AND id <= upto AND commitment IS NULL
          AND NOT EXISTS (SELECT FROM public.audit_pending p WHERE p.event_id = e.id) ORDER BY id;
      UPDATE public.audit_past SET queued = upto;
    END $$;

  -- Erased by a version that did not know how to forget, while it served on beside this one.
  CREATE FUNCTION subjects_left_in_audit_log(most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      SELECT s.id FROM public.subject s WHERE s.erased_at IS NOT NULL
        AND EXISTS (SELECT FROM public.audit_event e WHERE e.subject_id = s.id AND e.type = 'subject.registered')
      LIMIT most
    $$;
`;

const RIGHTS = `
  REVOKE ALL ON FUNCTION unsealed_audit_entries(integer), seal_audit_entries(uuid[], bytea[], bytea[]),
    forget_audit_entries(uuid, uuid), queue_past_audit_entries(integer), subjects_left_in_audit_log(integer), last_audited_restore() FROM PUBLIC;
  GRANT SELECT ON audit_pending, audit_leaf, audit_tile, audit_checkpoint, audit_key, audit_forgotten, audit_past
    TO velum_app;
  GRANT EXECUTE ON FUNCTION forget_audit_entries(uuid, uuid) TO velum_app, velum_worker;
  -- Only who sequences writes leaves and checkpoints. To lock a row of the queue is to update it.
  GRANT SELECT, UPDATE (n), DELETE ON audit_pending TO velum_worker;
  GRANT SELECT, INSERT ON audit_leaf, audit_checkpoint, audit_key TO velum_worker;
  GRANT SELECT, INSERT, UPDATE (hashes) ON audit_tile TO velum_worker;
  GRANT SELECT ON audit_past TO velum_worker;
  GRANT EXECUTE ON FUNCTION unsealed_audit_entries(integer), seal_audit_entries(uuid[], bytea[], bytea[]),
    queue_past_audit_entries(integer), subjects_left_in_audit_log(integer), last_audited_restore() TO velum_worker;
`;
