import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0015-bulk-jobs-live-in-postgresql.md: an input that kills whatever reads it is found. */
export class InputStarts1763900000009 implements MigrationInterface {
  readonly name = 'InputStarts1763900000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job ADD COLUMN input_starts integer NOT NULL DEFAULT 0');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job DROP COLUMN input_starts');
  }
}
