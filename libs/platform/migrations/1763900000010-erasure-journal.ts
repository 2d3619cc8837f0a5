import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0017-backups.md: what was erased, to be shipped to where the backups are. */
export class ErasureJournal1763900000010 implements MigrationInterface {
  readonly name = 'ErasureJournal1763900000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE erasure_journal (
        -- Of the audit record.
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL,
        type text NOT NULL,
        client_id uuid NOT NULL,
        subject_id uuid,
        gallery_id uuid,
        template_id uuid,
        consent_id uuid
      );
      -- Shipments are numbered without a gap, so that one that is missing shows.
      CREATE TABLE erasure_shipment (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        number bigint NOT NULL
      );
      INSERT INTO erasure_shipment (number) VALUES (0);

      -- Every erasure has an audit record in its own transaction, so none can be left out here. A template that was
      -- replaced by another of the same person was not erased at anybody's wish.
      CREATE FUNCTION note_erasure() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
        BEGIN
          INSERT INTO public.erasure_journal (id, at, type, client_id, subject_id, gallery_id, template_id, consent_id)
          VALUES (NEW.id, NEW.at, NEW.type, NEW.client_id, NEW.subject_id, NEW.gallery_id,
                  (NEW.details->>'templateId')::uuid, (NEW.details->>'consentId')::uuid);
          RETURN NULL;
        END $$;
      CREATE TRIGGER note_erasure AFTER INSERT ON audit_event FOR EACH ROW
        WHEN (NEW.outcome = 'ok'
          AND NEW.type IN ('subject.erased', 'template.erased', 'consent.withdrawn', 'gallery.destroyed')
          AND NEW.details->>'reason' IS DISTINCT FROM 'replaced')
        EXECUTE FUNCTION note_erasure();
      GRANT SELECT, DELETE ON erasure_journal TO velum_app;
      GRANT SELECT, UPDATE ON erasure_shipment TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER note_erasure ON audit_event;
      DROP FUNCTION note_erasure();
      DROP TABLE erasure_shipment;
      DROP TABLE erasure_journal;
    `);
  }
}
