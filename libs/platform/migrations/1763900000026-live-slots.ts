import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0039-what-is-destroyed-stays-destroyed.md: slots that are never opened again, and keys of two parts. */
export class LiveSlots1763900000026 implements MigrationInterface {
  readonly name = 'LiveSlots1763900000026';
  readonly harmless = {
    'public.template.note_retirement': 'it refuses nothing: it notes which slots are left, as its owner',
    'public.held_template.note_retirement': 'it refuses nothing: it notes which slots are left, as its owner',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Counts changes of the table below, so that an opening that reads the key set knows whether it has seen them all.
      ALTER TABLE custody.key_set ADD COLUMN retirements bigint NOT NULL DEFAULT 0;
      CREATE TABLE custody.retired (
        segment_id uuid PRIMARY KEY REFERENCES custody.segment ON DELETE CASCADE,
        -- One for each slot whose row is gone.
        slots bit(2048) NOT NULL,
        -- Of the key set, when it last changed.
        version bigint NOT NULL
      );
      CREATE FUNCTION custody.keep_retired() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.segment_id <> OLD.segment_id OR NEW.slots & OLD.slots <> OLD.slots THEN
            RAISE EXCEPTION 'a retired slot is never opened again';
          END IF;
          RETURN NEW;
        END $$;
      CREATE TRIGGER keep_retired BEFORE UPDATE ON custody.retired
        FOR EACH ROW EXECUTE FUNCTION custody.keep_retired();

      -- Not in the dumps of a backup: without it the segments' secrets in them open nothing.
      CREATE TABLE custody.key_share (
        gallery_id uuid PRIMARY KEY REFERENCES custody.key_set ON DELETE CASCADE,
        share bytea NOT NULL CHECK (octet_length(share) = 32)
      );
      ALTER TABLE custody.segment ADD COLUMN under_share boolean NOT NULL DEFAULT false;
      GRANT UPDATE (retirements) ON custody.key_set TO velum_custodian;
      GRANT SELECT, INSERT, UPDATE (slots, version) ON custody.retired TO velum_custodian;
      GRANT SELECT, INSERT ON custody.key_share TO velum_custodian;

      -- Decided with the gallery's end; whoever destroyed the keys at the custodian takes the row away.
      CREATE TABLE key_set_destruction (
        gallery_id uuid PRIMARY KEY,
        client_id uuid NOT NULL,
        -- Of the audit record to come.
        details jsonb NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT now()
      );
      GRANT SELECT, INSERT, DELETE ON key_set_destruction TO velum_app;
      GRANT SELECT, DELETE ON key_set_destruction TO velum_worker;

      CREATE TABLE slot_retirement (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        segment_id uuid NOT NULL,
        slot integer NOT NULL,
        -- A row that only moved is looked for at its old place by searches that are under way.
        not_before timestamptz NOT NULL DEFAULT now()
      );
      GRANT SELECT, INSERT, DELETE ON slot_retirement TO velum_worker;
      -- However a row leaves the galleries, its slot is retired. With a gallery all of its keys go.
      CREATE FUNCTION note_retirement() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          INSERT INTO public.slot_retirement (segment_id, slot) SELECT segment_id, slot FROM gone
            WHERE NOT EXISTS (SELECT FROM public.key_set_destruction d WHERE d.gallery_id = gone.gallery_id);
          RETURN NULL;
        END $$;
      CREATE TRIGGER note_retirement AFTER DELETE ON template REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION note_retirement();
      -- What is held for a law moves with its gallery's keys, and is not opened at its new place either.
      CREATE TRIGGER note_retirement AFTER UPDATE ON held_template REFERENCING NEW TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION note_retirement();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    const [{ n }]: [{ n: string }] = await runner.query(
      'SELECT count(*) AS n FROM custody.segment WHERE under_share',
    );
    if (n !== '0') throw new Error('Segments that were opened since cannot be carried back.');
    await runner.query(`
      DROP TRIGGER note_retirement ON template;
      DROP TRIGGER note_retirement ON held_template;
      DROP FUNCTION note_retirement();
      DROP TABLE slot_retirement, key_set_destruction, custody.key_share, custody.retired;
      DROP FUNCTION custody.keep_retired();
      ALTER TABLE custody.segment DROP COLUMN under_share;
      REVOKE UPDATE (retirements) ON custody.key_set FROM velum_custodian;
      ALTER TABLE custody.key_set DROP COLUMN retirements;
    `);
  }
}
