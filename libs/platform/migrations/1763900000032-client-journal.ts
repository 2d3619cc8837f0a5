import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0017-backups.md: a restore lets no client in that was disabled since the backup, nor with a secret of before. */
export class ClientJournal1763900000032 implements MigrationInterface {
  readonly name = 'ClientJournal1763900000032';
  readonly harmless = {
    'public.audit_event.note_client':
      'it refuses nothing; what the version before ships of it lacks the hash, which a restore knows',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The newer secret's, Argon2id: the older one does not count again, and this one does.
      ALTER TABLE erasure_journal ADD secret_hash text;
      CREATE FUNCTION note_client() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          INSERT INTO public.erasure_journal (id, at, type, client_id, secret_hash)
          SELECT NEW.id, NEW.at, NEW.type, c.id, CASE NEW.type WHEN 'client.secret_rotated' THEN c.secret_hash END
          FROM public.client c WHERE c.id = NEW.client_id;
          RETURN NULL;
        END $$;
      CREATE TRIGGER note_client AFTER INSERT ON audit_event FOR EACH ROW
        WHEN (NEW.outcome = 'ok' AND NEW.type IN ('client.disabled', 'client.secret_rotated'))
        EXECUTE FUNCTION note_client();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER note_client ON audit_event;
      DROP FUNCTION note_client();
      DELETE FROM erasure_journal WHERE type IN ('client.disabled', 'client.secret_rotated');
      ALTER TABLE erasure_journal DROP secret_hash;
    `);
  }
}
