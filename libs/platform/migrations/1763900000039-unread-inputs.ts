import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0044-an-item-has-a-key-of-its-own.md: an input from before an erasure is read before all else. */
export class UnreadInputs1763900000039 implements MigrationInterface {
  readonly name = 'UnreadInputs1763900000039';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX subject_erased ON subject (client_id, erased_at) WHERE erased_at IS NOT NULL;
      CREATE INDEX job_unread ON job (client_id, created_at) WHERE state = 'received';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX subject_erased, job_unread;');
  }
}
