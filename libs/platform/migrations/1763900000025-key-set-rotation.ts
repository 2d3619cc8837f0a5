import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0038-a-gallery-gets-new-keys.md: rows move under new segment keys; the old ones are destroyed. */
export class KeySetRotation1763900000025 implements MigrationInterface {
  readonly name = 'KeySetRotation1763900000025';
  readonly harmless = {
    'public.template.refuse_destroyed_segment':
      'it refuses what the version before would lose: a row that no key opens any more',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Templates are sealed in segments of the key set's generation. Of those before \`oldest\` no secret is left.
      ALTER TABLE custody.key_set ADD generation integer NOT NULL DEFAULT 1, ADD oldest integer NOT NULL DEFAULT 1;
      ALTER TABLE custody.segment ADD generation integer NOT NULL DEFAULT 1;
      CREATE TABLE custody.rotation (
        id uuid PRIMARY KEY,
        gallery_id uuid NOT NULL REFERENCES custody.key_set ON DELETE CASCADE,
        generation integer NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX custody_rotation_of_gallery ON custody.rotation (gallery_id);
      GRANT UPDATE (generation, oldest) ON custody.key_set TO velum_custodian;
      GRANT DELETE ON custody.segment TO velum_custodian;
      GRANT SELECT, INSERT ON custody.rotation TO velum_custodian;

      -- Kept as the proof, whatever becomes of the gallery.
      CREATE TABLE key_set_rotation (
        id uuid PRIMARY KEY,
        gallery_id uuid NOT NULL,
        client_id uuid NOT NULL REFERENCES client,
        requested_at timestamptz NOT NULL DEFAULT now(),
        begun_at timestamptz,
        -- Rows to move when it began, those that moved since, and when the last of them did.
        rows integer,
        moved integer NOT NULL DEFAULT 0,
        moved_at timestamptz,
        ended_at timestamptz,
        outcome text CHECK (outcome IN ('rotated', 'gallery_destroyed')),
        audit_records uuid[] NOT NULL,
        CHECK ((ended_at IS NULL) = (outcome IS NULL))
      );
      CREATE UNIQUE INDEX key_set_rotation_open ON key_set_rotation (gallery_id) WHERE ended_at IS NULL;
      CREATE INDEX key_set_rotation_of_gallery ON key_set_rotation (gallery_id, id);
      CREATE TABLE rotating_segment (
        segment_id uuid PRIMARY KEY,
        rotation_id uuid NOT NULL REFERENCES key_set_rotation,
        -- From then on nothing is put there: its secret is about to be destroyed, or gone.
        retired_at timestamptz
      );
      CREATE INDEX rotating_segment_of ON rotating_segment (rotation_id);
      GRANT SELECT, INSERT ON key_set_rotation TO velum_app;
      GRANT SELECT ON rotating_segment TO velum_app;
      GRANT SELECT, UPDATE (begun_at, rows, moved, moved_at, ended_at, outcome, audit_records) ON key_set_rotation
        TO velum_worker;
      GRANT SELECT, INSERT, UPDATE (retired_at) ON rotating_segment TO velum_worker;
      GRANT UPDATE (segment_id, slot, "row", version) ON template TO velum_worker;
      GRANT UPDATE (segment_id, slot, "row") ON held_template TO velum_worker;
      CREATE INDEX held_template_in ON held_template (segment_id);

      -- Whoever enrols took a slot before, and may have waited for long. Its transaction holds the gallery's row by now, as
      -- did that which retired the segment.
      CREATE FUNCTION refuse_destroyed_segment() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          IF EXISTS (SELECT FROM public.rotating_segment r
                     WHERE r.segment_id = NEW.segment_id AND r.retired_at IS NOT NULL) THEN
            RAISE EXCEPTION 'the keys of this segment are destroyed' USING CONSTRAINT = 'template_segment_lasts',
              ERRCODE = 'check_violation';
          END IF;
          RETURN NEW;
        END $$;
      CREATE TRIGGER refuse_destroyed_segment BEFORE INSERT OR UPDATE OF segment_id ON template
        FOR EACH ROW EXECUTE FUNCTION refuse_destroyed_segment();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    const [{ n }]: [{ n: string }] = await runner.query(
      'SELECT count(*) AS n FROM key_set_rotation WHERE ended_at IS NULL',
    );
    if (n !== '0') throw new Error('A gallery is under way to new keys: wait until it has them.');
    await runner.query(`
      DROP TRIGGER refuse_destroyed_segment ON template;
      DROP FUNCTION refuse_destroyed_segment();
      DROP INDEX held_template_in;
      REVOKE UPDATE (segment_id, slot, "row", version) ON template FROM velum_worker;
      REVOKE UPDATE (segment_id, slot, "row") ON held_template FROM velum_worker;
      DROP TABLE rotating_segment, key_set_rotation, custody.rotation;
      REVOKE UPDATE (generation, oldest) ON custody.key_set FROM velum_custodian;
      REVOKE DELETE ON custody.segment FROM velum_custodian;
      ALTER TABLE custody.segment DROP generation;
      ALTER TABLE custody.key_set DROP generation, DROP oldest;
    `);
  }
}
