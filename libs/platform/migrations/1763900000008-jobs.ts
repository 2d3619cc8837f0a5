import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Jobs1763900000008 implements MigrationInterface {
  readonly name = 'Jobs1763900000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE job (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        -- A job outlives its gallery: its results tell what was done.
        gallery_id uuid NOT NULL,
        type text NOT NULL CHECK (type IN ('enrol', 're-embed', 'identify', 'deduplicate', 'erase')),
        state text NOT NULL CHECK (state IN ('received', 'running', 'ended', 'failed', 'cancelled')),
        code text,
        settings jsonb NOT NULL,
        media_type text,
        input_bytes bigint NOT NULL,
        -- Of the spooled input, under db_encryption_key; gone with the file once the job is over.
        spool_key bytea,
        total integer,
        done integer NOT NULL DEFAULT 0,
        refused integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        -- Found by a deduplication.
        pairs integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        ended_at timestamptz
      );
      CREATE INDEX job_of_client ON job (client_id, id);
      CREATE INDEX job_alive ON job (id) WHERE state IN ('received', 'running');
      CREATE INDEX job_spooled ON job (id) WHERE spool_key IS NOT NULL;
      CREATE TABLE job_item (
        job_id uuid NOT NULL REFERENCES job ON DELETE CASCADE,
        n integer NOT NULL CHECK (n > 0),
        chunk integer NOT NULL,
        state text NOT NULL CHECK (state IN ('waiting', 'done', 'refused', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        code text,
        -- Where the item stands in the input: offsets, lengths and ids, never what it says.
        input jsonb,
        result jsonb,
        ended_at timestamptz,
        PRIMARY KEY (job_id, n)
      );
      CREATE INDEX job_item_waiting ON job_item (job_id, chunk) WHERE state = 'waiting';
      CREATE TABLE webhook (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        url text NOT NULL,
        -- Signs what is sent, encrypted under db_encryption_key.
        secret bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX webhook_of_client ON webhook (client_id, id);
      CREATE TABLE webhook_delivery (
        id uuid PRIMARY KEY,
        webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
        job_id uuid NOT NULL REFERENCES job ON DELETE CASCADE,
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at);
      GRANT SELECT, INSERT, UPDATE, DELETE ON webhook, webhook_delivery TO velum_app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON job, job_item TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE webhook_delivery; DROP TABLE webhook; DROP TABLE job_item; DROP TABLE job;',
    );
  }
}
