import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0032-rights-cases.md: what data principals ask for, and restriction of processing (GDPR Art. 18). */
export class Rights1763900000019 implements MigrationInterface {
  readonly name = 'Rights1763900000019';
  readonly harmless = {
    ...COUNTS_MORE,
    'public.consent.suspend_new_consent':
      'it refuses nothing: it fills a column that only this version reads',
    'public.subject.forget_rights': 'it refuses nothing: it empties rows that only this version makes',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(FUNCTIONS);
    await runner.query(RIGHTS);
    await countSealed(runner, 'rights_case', ['request', 'answer']);
    await countSealed(runner, 'nominee', ['name', 'contact']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'nominee', ['name', 'contact']);
    await countSealedNoMore(runner, 'rights_case', ['request', 'answer']);
    await runner.query(`
      DROP TRIGGER forget_rights ON subject;
      DROP TRIGGER suspend_new_consent ON consent;
      DROP FUNCTION forget_rights();
      DROP FUNCTION suspend_new_consent();
      DROP TABLE nominee, case_reminder, case_transition, rights_case;
      REVOKE UPDATE (jurisdiction) ON subject FROM velum_app;
      ALTER TABLE consent DROP suspended_at;
      ALTER TABLE subject DROP restricted_at;
    `);
  }
}

const TABLES = `
  ALTER TABLE subject ADD restricted_at timestamptz;
  -- While the processing is restricted: open, and not valid.
  ALTER TABLE consent ADD suspended_at timestamptz;

  CREATE TABLE rights_case (
    id uuid PRIMARY KEY,
    client_id uuid NOT NULL REFERENCES client,
    subject_id uuid NOT NULL REFERENCES subject,
    kind text NOT NULL CHECK (kind IN ('access', 'correction', 'erasure', 'portability', 'restriction', 'objection',
      'nomination', 'grievance')),
    channel text NOT NULL,
    -- Which processing it is about; null: all.
    purpose text,
    jurisdiction text NOT NULL,
    policy_revision integer NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'identity_check', 'in_progress', 'extended', 'fulfilled', 'refused',
      'withdrawn', 'lifted')),
    opened_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    -- What the person wrote, and was answered: under db_encryption_key, gone with the person.
    request bytea,
    answer bytea,
    FOREIGN KEY (jurisdiction, policy_revision) REFERENCES jurisdiction_policy (jurisdiction, revision)
  );
  CREATE INDEX rights_case_of_client ON rights_case (client_id, id);
  CREATE INDEX rights_case_of_subject ON rights_case (subject_id, id);
  CREATE INDEX rights_case_due ON rights_case (due_at)
    WHERE state IN ('open', 'identity_check', 'in_progress', 'extended');

  CREATE TABLE case_transition (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES rights_case,
    state text NOT NULL,
    reason text,
    article text,
    -- Until when it was due from here on.
    due_at timestamptz NOT NULL,
    -- Who: an officer, a client app, or neither, where the worker saw it happen.
    client_id uuid,
    officer_id uuid,
    at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX case_transition_of ON case_transition (case_id, id);

  -- Once for each date: an extension moves it.
  CREATE TABLE case_reminder (
    case_id uuid NOT NULL REFERENCES rights_case,
    kind text NOT NULL CHECK (kind IN ('due_in_7_days', 'due_in_1_day', 'overdue')),
    due_at timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (case_id, kind, due_at)
  );

  -- DPDP Act section 14. Name and contact are under db_encryption_key.
  CREATE TABLE nominee (
    id uuid PRIMARY KEY,
    subject_id uuid NOT NULL UNIQUE REFERENCES subject,
    name bytea NOT NULL,
    contact bytea NOT NULL,
    relationship text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
  );
`;

const FUNCTIONS = `
  -- Whoever makes a consent, the version before included: who is restricted stays so.
  CREATE FUNCTION suspend_new_consent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
      SELECT restricted_at INTO NEW.suspended_at FROM public.subject WHERE id = NEW.subject_id;
      RETURN NEW;
    END $$;
  CREATE TRIGGER suspend_new_consent BEFORE INSERT ON consent FOR EACH ROW EXECUTE FUNCTION suspend_new_consent();

  -- Whoever erases the person, and by whichever call: with the reference, which stays for as long as data is held.
  CREATE FUNCTION forget_rights() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
      IF EXISTS (SELECT FROM public.destruction d
        WHERE d.subject_id = NEW.id AND d.consent_id IS NULL AND d.destroyed_at IS NULL) THEN RETURN NULL; END IF;
      UPDATE public.rights_case SET request = NULL, answer = NULL WHERE subject_id = NEW.id;
      DELETE FROM public.nominee WHERE subject_id = NEW.id;
      RETURN NULL;
    END $$;
  CREATE TRIGGER forget_rights AFTER UPDATE OF erased_at, reference ON subject FOR EACH ROW
    WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION forget_rights();
`;

const RIGHTS = `
  GRANT UPDATE (restricted_at) ON subject TO velum_app;
  GRANT UPDATE (suspended_at) ON consent TO velum_app;
  GRANT SELECT, INSERT, UPDATE (state, due_at, request, answer) ON rights_case TO velum_app;
  GRANT SELECT, INSERT ON case_transition TO velum_app;
  GRANT SELECT ON case_reminder TO velum_app;
  GRANT SELECT, INSERT, DELETE ON nominee TO velum_app;
  GRANT UPDATE (jurisdiction) ON subject TO velum_app;
  -- What is sealed is sealed anew there; and to lock a row is to update it.
  GRANT SELECT, UPDATE (request, answer) ON rights_case TO velum_worker;
  GRANT SELECT, INSERT ON case_reminder TO velum_worker;
  GRANT SELECT, UPDATE (name, contact) ON nominee TO velum_worker;
`;
