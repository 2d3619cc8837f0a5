import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * docs/adr/0028-itemised-notices.md: consents whose end a notice brings forward, a batch at a time.
 * docs/adr/0017-backups.md: a restore lets no officer in who was shut out since the backup.
 */
export class RenewalsAndLockouts1763900000028 implements MigrationInterface {
  readonly name = 'RenewalsAndLockouts1763900000028';
  readonly harmless = {
    'public.audit_event.note_officer':
      'it refuses nothing; what the version before ships of it lacks the officer, which a restore knows',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Notices that ask for renewal, while consents may be left that last longer than they allow.
      CREATE TABLE renewal_demand (
        notice_id uuid PRIMARY KEY REFERENCES notice,
        renew_by timestamptz NOT NULL
      );
      -- As its owner: who shortens consents need not read what notices say.
      CREATE VIEW renewal_due AS
        SELECT d.notice_id, d.renew_by, c.id AS consent_id, c.client_id, c.subject_id, c.purpose
        FROM renewal_demand d
        JOIN notice newer ON newer.id = d.notice_id
        JOIN notice older ON older.client_id = newer.client_id AND older.purpose = newer.purpose
          AND older.language = newer.language AND older.version < newer.version
        JOIN consent c ON c.client_id = newer.client_id AND c.purpose = newer.purpose AND c.notice_id = older.id
        JOIN subject s ON s.id = c.subject_id
        WHERE c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > d.renew_by)
          AND (newer.jurisdiction IS NULL OR newer.jurisdiction = s.jurisdiction);
      GRANT SELECT, INSERT ON renewal_demand TO velum_app;
      GRANT SELECT, DELETE ON renewal_demand TO velum_worker;
      GRANT SELECT ON renewal_due TO velum_app, velum_worker;

      -- Of each date that has come the retention engine asks whether its notice has arrived.
      CREATE INDEX webhook_delivery_notice ON webhook_delivery ((body::jsonb -> 'data' ->> 'subjectId'))
        WHERE type = 'retention.notice_due' AND state = 'waiting';

      -- Officers are no client's.
      ALTER TABLE erasure_journal ALTER client_id DROP NOT NULL, ADD officer_id uuid;
      CREATE FUNCTION note_officer() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          INSERT INTO public.erasure_journal (id, at, type, officer_id)
          VALUES (NEW.id, NEW.at, NEW.type, (NEW.details->>'officerId')::uuid);
          RETURN NULL;
        END $$;
      CREATE TRIGGER note_officer AFTER INSERT ON audit_event FOR EACH ROW
        WHEN (NEW.outcome = 'ok' AND NEW.type IN ('officer.disabled', 'officer.reset')) EXECUTE FUNCTION note_officer();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER note_officer ON audit_event;
      DROP FUNCTION note_officer();
      DELETE FROM erasure_journal WHERE client_id IS NULL;
      ALTER TABLE erasure_journal ALTER client_id SET NOT NULL, DROP officer_id;
      DROP INDEX webhook_delivery_notice;
      DROP VIEW renewal_due;
      DROP TABLE renewal_demand;
    `);
  }
}
