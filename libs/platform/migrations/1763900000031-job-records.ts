import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0044-an-item-has-a-key-of-its-own.md: who is erased is unreadable at once in the inputs of jobs. */
export class JobRecords1763900000031 implements MigrationInterface {
  readonly name = 'JobRecords1763900000031';
  readonly harmless = {
    'public.subject.forget_records':
      'it refuses nothing: it empties secrets of a table that the version before does not know',
    'public.job.forget_records':
      'it refuses nothing: it deletes rows of a table that the version before does not know',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The file of a job's items, each sealed by itself; null: they stand in the upload as it came.
      ALTER TABLE job ADD COLUMN records_file uuid;
      -- Whom the item names, while it waits.
      ALTER TABLE job_item ADD COLUMN subject_id uuid;
      CREATE INDEX job_item_of_subject ON job_item (subject_id) WHERE subject_id IS NOT NULL;
      -- Not in the dumps of a backup.
      CREATE TABLE job_record (
        job_id uuid NOT NULL,
        n integer NOT NULL,
        at bigint NOT NULL,
        length integer NOT NULL,
        -- With the job's key it makes the item's own. Null: nobody reads the item any more.
        secret bytea CHECK (octet_length(secret) = 32),
        overwritten boolean NOT NULL DEFAULT false,
        PRIMARY KEY (job_id, n),
        FOREIGN KEY (job_id, n) REFERENCES job_item ON DELETE CASCADE
      );
      CREATE INDEX job_record_erased ON job_record (job_id, n) WHERE secret IS NULL AND NOT overwritten;
      GRANT UPDATE (records_file) ON job TO velum_worker;
      GRANT UPDATE (subject_id) ON job_item TO velum_worker;
      GRANT SELECT, INSERT, DELETE, UPDATE (secret, overwritten) ON job_record TO velum_worker;

      -- However a person is erased.
      CREATE FUNCTION forget_records_of_subject() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          -- Whoever writes a job's items down holds it alone until they can be seen here.
          PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.client_id::text, 7));
          UPDATE public.job_record r SET secret = NULL
          FROM (
            SELECT named.job_id, named.n FROM public.job_record named
            JOIN public.job_item i ON i.job_id = named.job_id AND i.n = named.n
            WHERE i.subject_id = NEW.id ORDER BY named.job_id, named.n FOR UPDATE OF named
          ) AS erased
          WHERE r.job_id = erased.job_id AND r.n = erased.n;
          RETURN NULL;
        END $$;
      CREATE TRIGGER forget_records AFTER UPDATE OF erased_at ON subject FOR EACH ROW
        WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL) EXECUTE FUNCTION forget_records_of_subject();

      -- However a job ends.
      CREATE FUNCTION forget_records_of_job() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          DELETE FROM public.job_record WHERE job_id = NEW.id;
          RETURN NULL;
        END $$;
      CREATE TRIGGER forget_records AFTER UPDATE OF spool_key ON job FOR EACH ROW
        WHEN (OLD.spool_key IS NOT NULL AND NEW.spool_key IS NULL) EXECUTE FUNCTION forget_records_of_job();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    const [{ n }]: [{ n: string }] = await runner.query(
      'SELECT count(*) AS n FROM job WHERE records_file IS NOT NULL AND spool_key IS NOT NULL',
    );
    if (n !== '0') throw new Error('Jobs whose items are sealed cannot be carried back: let them end first.');
    await runner.query(`
      DROP TRIGGER forget_records ON subject;
      DROP TRIGGER forget_records ON job;
      DROP FUNCTION forget_records_of_subject();
      DROP FUNCTION forget_records_of_job();
      DROP TABLE job_record;
      ALTER TABLE job_item DROP COLUMN subject_id;
      ALTER TABLE job DROP COLUMN records_file;
    `);
  }
}
