import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Platform1763900000001 implements MigrationInterface {
  readonly name = 'Platform1763900000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE idempotency_key (
        client_id uuid NOT NULL,
        key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
        fingerprint bytea NOT NULL,
        result_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (client_id, key)
      );
      CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
      CREATE TABLE outbox (
        id uuid PRIMARY KEY,
        type text NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        relayed_at timestamptz,
        done_at timestamptz
      );
      CREATE INDEX outbox_pending ON outbox (id) WHERE done_at IS NULL;
      GRANT SELECT, INSERT, DELETE ON idempotency_key TO velum_app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE outbox; DROP TABLE idempotency_key;`);
  }
}
