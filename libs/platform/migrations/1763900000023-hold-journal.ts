import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * docs/adr/0017-backups.md: a restore that knows erasures but no holds would destroy what a hold keeps, and one that knows no
 * restrictions would match whom nobody may match.
 */
export class HoldJournal1763900000023 implements MigrationInterface {
  readonly name = 'HoldJournal1763900000023';
  readonly harmless = {
    'public.audit_event.note_hold': 'it refuses nothing: it notes what the version before never does',
    'public.audit_event.note_restriction': 'it refuses nothing: it notes what the version before never does',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE erasure_journal ADD hold_id uuid, ADD hold_reason text, ADD hold_until timestamptz;
      CREATE FUNCTION note_hold() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          INSERT INTO public.erasure_journal
            (id, at, type, client_id, subject_id, consent_id, hold_id, hold_reason, hold_until)
          SELECT NEW.id, NEW.at, NEW.type, NEW.client_id, NEW.subject_id, h.consent_id, h.id, h.reason, h.until
          FROM public.legal_hold h WHERE h.id = (NEW.details->>'holdId')::uuid;
          RETURN NULL;
        END $$;
      CREATE TRIGGER note_hold AFTER INSERT ON audit_event FOR EACH ROW
        WHEN (NEW.outcome = 'ok' AND NEW.type IN ('hold.placed', 'hold.released')) EXECUTE FUNCTION note_hold();
      CREATE TRIGGER note_restriction AFTER INSERT ON audit_event FOR EACH ROW
        WHEN (NEW.outcome = 'ok' AND NEW.type IN ('processing.restricted', 'processing.resumed'))
        EXECUTE FUNCTION note_erasure();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER note_restriction ON audit_event;
      DELETE FROM erasure_journal WHERE type IN ('processing.restricted', 'processing.resumed');
      DROP TRIGGER note_hold ON audit_event;
      DROP FUNCTION note_hold();
      DELETE FROM erasure_journal WHERE hold_id IS NOT NULL;
      ALTER TABLE erasure_journal DROP hold_id, DROP hold_reason, DROP hold_until;
    `);
  }
}
