import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Consent1763900000003 implements MigrationInterface {
  readonly name = 'Consent1763900000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE subject (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        reference bytea,
        reference_index bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        erased_at timestamptz,
        CHECK (erased_at IS NULL OR (reference IS NULL AND reference_index IS NULL))
      );
      CREATE UNIQUE INDEX subject_reference ON subject (client_id, reference_index);
      CREATE INDEX subject_of_client ON subject (client_id, id) WHERE erased_at IS NULL;

      CREATE TABLE notice (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        purpose text NOT NULL,
        language text NOT NULL,
        version integer NOT NULL CHECK (version > 0),
        title text NOT NULL,
        text text NOT NULL,
        hash bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (client_id, purpose, language, version)
      );

      -- Every change of a consent takes the next version of its client and purpose, so that a matcher can ask
      -- what changed since the version that it holds.
      CREATE TABLE consent_version (
        client_id uuid NOT NULL REFERENCES client,
        purpose text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (client_id, purpose)
      );
      CREATE TABLE consent (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        subject_id uuid NOT NULL REFERENCES subject,
        purpose text NOT NULL,
        notice_id uuid NOT NULL REFERENCES notice,
        granted_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        ended_at timestamptz,
        version bigint NOT NULL
      );
      CREATE UNIQUE INDEX consent_one_open ON consent (subject_id, purpose) WHERE ended_at IS NULL;
      CREATE INDEX consent_changes ON consent (client_id, purpose, version);
      CREATE INDEX consent_expiry ON consent (expires_at) WHERE ended_at IS NULL;
      CREATE INDEX consent_of_client ON consent (client_id, id);
      CREATE TABLE consent_fact (
        id uuid PRIMARY KEY,
        consent_id uuid NOT NULL REFERENCES consent,
        kind text NOT NULL CHECK (kind IN ('granted', 'withdrawn', 'expired')),
        at timestamptz NOT NULL DEFAULT now(),
        ip_hash text
      );
      CREATE INDEX consent_fact_of ON consent_fact (consent_id, id);
      GRANT SELECT, INSERT, UPDATE ON subject, consent, consent_version TO velum_app;
      GRANT SELECT, INSERT ON notice, consent_fact TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE consent_fact; DROP TABLE consent; DROP TABLE consent_version; DROP TABLE notice; DROP TABLE subject;`,
    );
  }
}
