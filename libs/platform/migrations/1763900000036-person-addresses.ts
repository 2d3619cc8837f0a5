import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Evidence of a consent (GDPR Art. 7(1)): where the person was, besides where the call came from. */
export class PersonAddresses1763900000036 implements MigrationInterface {
  readonly name = 'PersonAddresses1763900000036';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- As ip_hash: keyed by ip_hash_salt. Null where the client has told none, and of who was erased.
      ALTER TABLE consent_fact ADD person_ip_hash text;
      GRANT UPDATE (person_ip_hash) ON consent_fact TO velum_app, velum_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consent_fact DROP person_ip_hash');
  }
}
