import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Custody1763900000005 implements MigrationInterface {
  readonly name = 'Custody1763900000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- No foreign key leaves this schema: custody moves to a process and a role of its own (DESIGN section 2).
      CREATE SCHEMA custody;
      CREATE TABLE custody.key_set (
        gallery_id uuid PRIMARY KEY,
        dimension integer NOT NULL,
        secret_key bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE custody.segment (
        id uuid PRIMARY KEY,
        gallery_id uuid NOT NULL REFERENCES custody.key_set ON DELETE CASCADE,
        masks bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX custody_segment_of_gallery ON custody.segment (gallery_id, id);
      CREATE TABLE custody.pad (
        segment_id uuid NOT NULL REFERENCES custody.segment ON DELETE CASCADE,
        slot integer NOT NULL CHECK (slot BETWEEN 0 AND 2047),
        gallery_id uuid NOT NULL,
        pad bytea NOT NULL,
        PRIMARY KEY (gallery_id, segment_id, slot)
      );
      CREATE INDEX pad_of_segment ON custody.pad (segment_id);
      -- Pads and masks look like random bits: compressing them wastes time.
      ALTER TABLE custody.segment ALTER COLUMN masks SET STORAGE EXTERNAL;
      ALTER TABLE custody.pad ALTER COLUMN pad SET STORAGE EXTERNAL;
      GRANT USAGE ON SCHEMA custody TO velum_app;
      GRANT SELECT, INSERT, DELETE ON custody.key_set, custody.segment, custody.pad TO velum_app;
      -- SELECT … FOR UPDATE asks for the right to update some column. This one is authenticated with the pad's
      -- ciphertext: a pad moved to another gallery cannot be opened. The pad itself can only be deleted.
      GRANT UPDATE (gallery_id) ON custody.pad TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP SCHEMA custody CASCADE;`);
  }
}
