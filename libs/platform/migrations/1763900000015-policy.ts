import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0026-jurisdictions-are-data.md: what a jurisdiction asks for, in revisions that are only ever added. */
export class Policy1763900000015 implements MigrationInterface {
  readonly name = 'Policy1763900000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE jurisdiction_policy (
        jurisdiction text NOT NULL,
        revision integer NOT NULL CHECK (revision > 0),
        document jsonb NOT NULL,
        published_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (jurisdiction, revision)
      );
      GRANT SELECT, INSERT ON jurisdiction_policy TO velum_app;
      GRANT SELECT ON jurisdiction_policy TO velum_worker;

      -- Whose law a person is under. The strictest about erasure is what the version before takes for granted.
      ALTER TABLE subject ADD jurisdiction text NOT NULL DEFAULT 'EU-GDPR';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE subject DROP jurisdiction;
      DROP TABLE jurisdiction_policy;
    `);
  }
}
