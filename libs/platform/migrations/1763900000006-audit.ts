import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Audit1763900000006 implements MigrationInterface {
  readonly name = 'Audit1763900000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_event (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        type text NOT NULL,
        outcome text NOT NULL,
        code text,
        client_id uuid,
        subject_id uuid,
        gallery_id uuid,
        request_id text,
        ip_hash text,
        details jsonb NOT NULL DEFAULT '{}'
      );
      CREATE INDEX audit_event_of_subject ON audit_event (subject_id, id) WHERE subject_id IS NOT NULL;
      CREATE INDEX audit_event_of_client ON audit_event (client_id, id);
      CREATE INDEX audit_event_of_gallery ON audit_event (gallery_id, id) WHERE gallery_id IS NOT NULL;
      CREATE INDEX audit_event_of_type ON audit_event (type, id);
      -- Append-only for the apps: they are granted neither UPDATE nor DELETE nor TRUNCATE.
      GRANT SELECT, INSERT ON audit_event TO velum_app;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_event;`);
  }
}
