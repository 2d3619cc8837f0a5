import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0013-segments-share-masks.md: seeds instead of stored masks and pads, a key for each segment. */
export class SharedMasks1763900000007 implements MigrationInterface {
  readonly name = 'SharedMasks1763900000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT FROM template) THEN
          RAISE EXCEPTION 'Templates sealed before version 0.2 cannot be carried over: start with an empty database.';
        END IF;
      END $$;
      DROP TABLE custody.pad, custody.segment;
      DELETE FROM custody.key_set;
      DELETE FROM gallery;
      ALTER TABLE custody.key_set DROP COLUMN secret_key,
        ADD COLUMN mask_seed bytea NOT NULL CHECK (octet_length(mask_seed) = 32);
      CREATE TABLE custody.segment (
        id uuid PRIMARY KEY,
        gallery_id uuid NOT NULL REFERENCES custody.key_set ON DELETE CASCADE,
        secret bytea NOT NULL,
        -- Slots below it were given to a template, or are lost; their pads never seal again.
        used integer NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND 2048),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX custody_segment_of_gallery ON custody.segment (gallery_id, id);
      CREATE FUNCTION custody.keep_used() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.used <= OLD.used OR NEW.secret <> OLD.secret OR NEW.gallery_id <> OLD.gallery_id THEN
            RAISE EXCEPTION 'a used slot is never given again';
          END IF;
          RETURN NEW;
        END $$;
      CREATE TRIGGER keep_used BEFORE UPDATE ON custody.segment
        FOR EACH ROW EXECUTE FUNCTION custody.keep_used();
      GRANT SELECT, INSERT, DELETE, UPDATE (used) ON custody.segment TO velum_app;
    `);
  }

  async down(): Promise<void> {
    throw new Error('Templates that were sealed since version 0.2 cannot be carried back.');
  }
}
