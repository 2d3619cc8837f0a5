import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0030-officers-are-persons.md and 0031-two-person-approval.md. */
export class Officers1763900000018 implements MigrationInterface {
  readonly name = 'Officers1763900000018';
  readonly harmless = COUNTS_MORE;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE officer (
        id uuid PRIMARY KEY,
        name bytea NOT NULL,
        email bytea NOT NULL,
        -- A blind index: whoever reads it cannot tell the address without the secret key.
        email_index bytea NOT NULL CONSTRAINT officer_email UNIQUE,
        scopes text[] NOT NULL,
        password_hash text,
        totp_secret bytea,
        -- The time step of the newest code that was used: RFC 6238 section 5.2.
        totp_step bigint,
        enrolment_hash bytea CONSTRAINT officer_enrolment UNIQUE,
        enrolment_expires_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        enrolled_at timestamptz,
        disabled_at timestamptz,
        CHECK (enrolled_at IS NULL OR (password_hash IS NOT NULL AND totp_secret IS NOT NULL))
      );
      CREATE TABLE officer_recovery_code (
        officer_id uuid NOT NULL REFERENCES officer,
        hash bytea NOT NULL,
        PRIMARY KEY (officer_id, hash)
      );
      CREATE TABLE officer_session (
        id uuid PRIMARY KEY,
        officer_id uuid NOT NULL REFERENCES officer,
        started_at timestamptz NOT NULL DEFAULT now(),
        renewed_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        ended_at timestamptz
      );
      CREATE INDEX officer_session_open ON officer_session (officer_id) WHERE ended_at IS NULL;
      -- Spent ones too: who presents one has stolen it, or has been stolen from (RFC 9700 section 4.14.2).
      CREATE TABLE officer_session_token (
        hash bytea PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES officer_session ON DELETE CASCADE,
        spent_at timestamptz
      );
      CREATE INDEX officer_session_token_session ON officer_session_token (session_id);
      -- Of an account, an address, or both: an HMAC, so that nobody reads here who tried to log in from where.
      CREATE TABLE officer_login_attempt (
        key bytea PRIMARY KEY,
        failures integer NOT NULL DEFAULT 0,
        failed_at timestamptz,
        locked_until timestamptz
      );
      CREATE TABLE proposal (
        id uuid PRIMARY KEY,
        kind text NOT NULL,
        payload jsonb NOT NULL,
        -- What it would change, as it was when it was proposed.
        basis text NOT NULL,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
        proposed_by uuid NOT NULL REFERENCES officer,
        proposed_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        decided_by uuid REFERENCES officer,
        decided_at timestamptz,
        CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)),
        CONSTRAINT proposal_two_persons CHECK (decided_by IS NULL OR (decided_by = proposed_by) = (state = 'withdrawn'))
      );
      GRANT SELECT, INSERT, UPDATE (email_index, password_hash, totp_secret, totp_step, enrolment_hash, enrolment_expires_at,
        enrolled_at, disabled_at) ON officer TO velum_app;
      GRANT SELECT, INSERT, DELETE ON officer_recovery_code TO velum_app;
      GRANT SELECT, INSERT, UPDATE (renewed_at, ended_at) ON officer_session TO velum_app;
      GRANT SELECT, INSERT, UPDATE (spent_at) ON officer_session_token TO velum_app;
      GRANT SELECT, INSERT, UPDATE (failures, failed_at, locked_until) ON officer_login_attempt TO velum_app;
      GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON proposal TO velum_app;
      GRANT UPDATE (threshold_score, threshold_cosine, target_false_match_rate) ON gallery TO velum_app;
      GRANT SELECT, UPDATE (name, email, totp_secret) ON officer TO velum_worker;
      GRANT SELECT, DELETE ON officer_session, officer_login_attempt TO velum_worker;

    `);
    await countSealed(runner, 'officer', ['name', 'email', 'totp_secret']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'officer', ['name', 'email', 'totp_secret']);
    await runner.query(`
      REVOKE UPDATE (threshold_score, threshold_cosine, target_false_match_rate) ON gallery FROM velum_app;
      DROP TABLE proposal, officer_login_attempt, officer_session_token, officer_session, officer_recovery_code, officer;
    `);
  }
}
