import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Auth1763900000002 implements MigrationInterface {
  readonly name = 'Auth1763900000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE client (
        id uuid PRIMARY KEY,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        secret_hash text NOT NULL,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        disabled_at timestamptz
      );
      CREATE TABLE revoked_token (
        jti uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES client,
        revoked_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX revoked_token_expiry ON revoked_token (expires_at);
      GRANT SELECT, INSERT, UPDATE ON client TO velum_app;
      GRANT SELECT, INSERT, DELETE ON revoked_token TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE revoked_token; DROP TABLE client;`);
  }
}
