import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Biometrics1763900000004 implements MigrationInterface {
  readonly name = 'Biometrics1763900000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE gallery (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        purpose text NOT NULL,
        model text NOT NULL,
        dimension integer NOT NULL CHECK (dimension BETWEEN 64 AND 2048),
        threshold_score integer NOT NULL,
        threshold_cosine double precision NOT NULL,
        target_false_match_rate double precision,
        disclosure text NOT NULL CHECK (disclosure IN ('none', 'band')),
        presentation_attack text NOT NULL CHECK (presentation_attack IN ('off', 'report', 'refuse')),
        version bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (client_id, name)
      );
      CREATE INDEX gallery_of_client ON gallery (client_id, id);
      CREATE TABLE template (
        id uuid PRIMARY KEY,
        gallery_id uuid NOT NULL REFERENCES gallery,
        subject_id uuid NOT NULL REFERENCES subject,
        consent_id uuid NOT NULL REFERENCES consent,
        segment_id uuid NOT NULL,
        slot integer NOT NULL CHECK (slot BETWEEN 0 AND 2047),
        "row" bytea NOT NULL,
        photos integer NOT NULL CHECK (photos BETWEEN 0 AND 5),
        version bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (segment_id, slot)
      );
      -- Rows look like random bits: compressing them wastes time.
      ALTER TABLE template ALTER COLUMN "row" SET STORAGE EXTERNAL;
      CREATE INDEX template_changes ON template (gallery_id, version);
      CREATE INDEX template_of_consent ON template (consent_id);
      CREATE INDEX template_of_subject ON template (subject_id, gallery_id);
      CREATE TABLE template_removal (
        gallery_id uuid NOT NULL REFERENCES gallery,
        version bigint NOT NULL,
        segment_id uuid NOT NULL,
        slot integer NOT NULL,
        PRIMARY KEY (gallery_id, version, segment_id, slot)
      );
      GRANT SELECT, INSERT, DELETE ON template, template_removal TO velum_app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON gallery TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE template_removal; DROP TABLE template; DROP TABLE gallery;`);
  }
}
