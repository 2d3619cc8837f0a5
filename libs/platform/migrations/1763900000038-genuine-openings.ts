import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0047-only-genuine-scores-are-opened.md. */
export class GenuineOpenings1763900000038 implements MigrationInterface {
  readonly name = 'GenuineOpenings1763900000038';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- How many scores were left out that no row and probe have made.
      ALTER TABLE custody.opening ADD COLUMN forged integer NOT NULL DEFAULT 0;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE custody.opening DROP COLUMN forged;');
  }
}
