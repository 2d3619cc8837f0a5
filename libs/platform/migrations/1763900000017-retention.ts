import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0029-held-then-destroyed.md: what is destroyed when, by which rule, and what stands in the way. */
export class Retention1763900000017 implements MigrationInterface {
  readonly name = 'Retention1763900000017';
  readonly harmless = {
    'public.subjects_left_in_audit_log(most integer)':
      'it answers fewer: not whose data waits for its day, which only this version lets happen',
    'public.subject.subject_erased_is_not_found':
      'it lets in more than the check that it stands for: the version before forgets the reference, too',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Of matches, written once a day at the most. Nobody is taken to have been away longer than this column exists.
      ALTER TABLE subject ADD last_seen_at timestamptz NOT NULL DEFAULT now();
      CREATE INDEX subject_last_seen ON subject (jurisdiction, last_seen_at) WHERE erased_at IS NULL;
      -- The reference of somebody whose data is held is held, but leads nowhere.
      ALTER TABLE subject DROP CONSTRAINT subject_check;
      ALTER TABLE subject ADD CONSTRAINT subject_erased_is_not_found
        CHECK (erased_at IS NULL OR reference_index IS NULL);

      CREATE TABLE retention_run (
        id uuid PRIMARY KEY,
        started_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE destruction (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        subject_id uuid NOT NULL REFERENCES subject,
        -- Null: all that is held of the person, who asked for it.
        consent_id uuid REFERENCES consent,
        rule text NOT NULL CHECK (rule IN ('afterEnd', 'afterErasureRequest', 'inactivity')),
        jurisdiction text NOT NULL,
        revision integer NOT NULL,
        since timestamptz NOT NULL,
        due_at timestamptz NOT NULL CHECK (due_at >= since),
        noticed_at timestamptz,
        destroyed_at timestamptz CHECK (destroyed_at >= due_at),
        templates integer,
        run_id uuid REFERENCES retention_run,
        created_at timestamptz NOT NULL DEFAULT now(),
        FOREIGN KEY (jurisdiction, revision) REFERENCES jurisdiction_policy
      );
      CREATE UNIQUE INDEX destruction_of_consent ON destruction (consent_id);
      CREATE UNIQUE INDEX destruction_of_person ON destruction (subject_id) WHERE consent_id IS NULL;
      CREATE INDEX destruction_due ON destruction (due_at) WHERE destroyed_at IS NULL;
      CREATE INDEX destruction_of_subject ON destruction (subject_id);
      CREATE INDEX destruction_of_run ON destruction (run_id);

      -- Rows that nothing matches: no call reads this table for a search. A gallery may go before them, with its keys.
      CREATE TABLE held_template (
        id uuid PRIMARY KEY,
        destruction_id uuid NOT NULL REFERENCES destruction,
        gallery_id uuid NOT NULL,
        consent_id uuid NOT NULL REFERENCES consent,
        segment_id uuid NOT NULL,
        slot integer NOT NULL,
        "row" bytea NOT NULL,
        photos integer NOT NULL,
        created_at timestamptz NOT NULL,
        held_at timestamptz NOT NULL DEFAULT now()
      );
      ALTER TABLE held_template ALTER COLUMN "row" SET STORAGE EXTERNAL;
      CREATE INDEX held_template_under ON held_template (destruction_id);
      CREATE INDEX held_template_of_gallery ON held_template (gallery_id);

      CREATE TABLE legal_hold (
        id uuid PRIMARY KEY,
        subject_id uuid NOT NULL REFERENCES subject,
        -- Null: on all that is kept of the person.
        consent_id uuid REFERENCES consent,
        reason text NOT NULL,
        until timestamptz,
        placed_at timestamptz NOT NULL DEFAULT now(),
        released_at timestamptz
      );
      CREATE INDEX legal_hold_on ON legal_hold (subject_id) WHERE released_at IS NULL;

      GRANT SELECT, INSERT, DELETE ON destruction TO velum_app;
      GRANT SELECT, INSERT ON held_template TO velum_app;
      GRANT SELECT, INSERT, UPDATE (released_at) ON legal_hold TO velum_app;
      GRANT SELECT ON retention_run TO velum_app;
      GRANT UPDATE (last_seen_at) ON subject TO velum_app, velum_worker;
      GRANT SELECT, INSERT, DELETE, UPDATE (destroyed_at, templates, run_id) ON destruction TO velum_worker;
      GRANT SELECT, INSERT, DELETE ON held_template TO velum_worker;
      GRANT SELECT ON legal_hold TO velum_worker;
      GRANT SELECT, INSERT ON retention_run TO velum_worker;
      GRANT UPDATE (expires_at) ON consent TO velum_worker;

      -- What is held of a person includes the entries, until the day that it is destroyed.
      CREATE OR REPLACE FUNCTION subjects_left_in_audit_log(most integer) RETURNS SETOF uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT s.id FROM public.subject s WHERE s.erased_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM public.destruction d WHERE d.subject_id = s.id AND d.destroyed_at IS NULL)
            AND EXISTS (SELECT FROM public.audit_event e WHERE e.subject_id = s.id AND e.type = 'subject.registered')
          LIMIT most
        $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION subjects_left_in_audit_log(most integer) RETURNS SETOF uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT s.id FROM public.subject s WHERE s.erased_at IS NOT NULL
            AND EXISTS (SELECT FROM public.audit_event e WHERE e.subject_id = s.id AND e.type = 'subject.registered')
          LIMIT most
        $$;
      REVOKE UPDATE (expires_at) ON consent FROM velum_worker;
      DROP TABLE legal_hold, held_template, destruction, retention_run;
      UPDATE subject SET reference = NULL WHERE erased_at IS NOT NULL;
      ALTER TABLE subject DROP CONSTRAINT subject_erased_is_not_found;
      ALTER TABLE subject ADD CONSTRAINT subject_check
        CHECK (erased_at IS NULL OR (reference IS NULL AND reference_index IS NULL));
      ALTER TABLE subject DROP last_seen_at;
    `);
  }
}
