import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0035-records-come-from-the-running-system.md: what the worker last saw where the backups are. */
export class BackupSighting1763900000034 implements MigrationInterface {
  readonly name = 'BackupSighting1763900000034';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- One row, or none: no worker has a target.
      CREATE TABLE backup_sighting (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        target text NOT NULL CHECK (target IN ('folder', 's3')),
        region text,
        -- When the snapshot of the newest was taken; null: there is none.
        newest_at timestamptz,
        looked_at timestamptz NOT NULL DEFAULT now()
      );
      GRANT SELECT ON backup_sighting TO velum_app;
      GRANT SELECT, INSERT, DELETE, UPDATE (target, region, newest_at, looked_at) ON backup_sighting TO velum_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE backup_sighting');
  }
}
