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
        -- Both under db_encryption_key: an address may hold a token, and the secret signs what is sent.
        url bytea NOT NULL,
        secret bytea NOT NULL,
        description text,
        created_at timestamptz NOT NULL DEFAULT now(),
        disabled_at timestamptz
      );
      CREATE INDEX webhook_of_client ON webhook (client_id, id);
      CREATE TABLE webhook_delivery (
        id uuid PRIMARY KEY,
        webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
        type text NOT NULL,
        -- What is signed and sent, byte for byte: ids and counts.
        body text NOT NULL,
        state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up')),
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        -- Given to the queue, which may lose it.
        handed_at timestamptz,
        -- Until then the worker that sends it has it for itself.
        leased_until timestamptz,
        attempted_at timestamptz,
        code text,
        status integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz
      );
      CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE state = 'waiting';
      CREATE INDEX webhook_delivery_of_webhook ON webhook_delivery (webhook_id, id);
      CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
      CREATE UNIQUE INDEX webhook_delivery_one_test ON webhook_delivery (webhook_id)
        WHERE type = 'webhook.test' AND state = 'waiting';
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
