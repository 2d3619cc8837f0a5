import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * docs/adr/0035-records-come-from-the-running-system.md: reports find what was recorded after the day that it is of.
 * docs/adr/0029-held-then-destroyed.md: who was told of a destruction, and since when.
 * docs/adr/0035 again: and whether logs are kept for as long as the policies ask.
 */
export class ReportsAndNotices1763900000035 implements MigrationInterface {
  readonly name = 'ReportsAndNotices1763900000035';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX consent_fact_at ON consent_fact (at);
      CREATE INDEX rights_case_opened ON rights_case (opened_at);

      -- When a webhook accepted the notice, or the client read the list of them; the version before leaves it null.
      ALTER TABLE destruction ADD told_at timestamptz;
      CREATE INDEX destruction_to_tell ON destruction (client_id, id)
        WHERE noticed_at IS NOT NULL AND destroyed_at IS NULL;
      CREATE INDEX webhook_delivery_told ON webhook_delivery ((body::jsonb -> 'data' ->> 'subjectId'))
        WHERE type = 'retention.notice_due' AND state = 'delivered';
      -- For how long the worker is told that logs are kept.
      ALTER TABLE backup_sighting ADD keep_log_days integer;
      GRANT UPDATE (keep_log_days) ON backup_sighting TO velum_worker;
      GRANT UPDATE (told_at) ON destruction TO velum_app, velum_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE backup_sighting DROP keep_log_days;
      REVOKE UPDATE (told_at) ON destruction FROM velum_app, velum_worker;
      DROP INDEX webhook_delivery_told;
      ALTER TABLE destruction DROP told_at;
      DROP INDEX rights_case_opened;
      DROP INDEX consent_fact_at;
    `);
  }
}
