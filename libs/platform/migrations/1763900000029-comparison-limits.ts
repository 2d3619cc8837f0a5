import type { MigrationInterface, QueryRunner } from 'typeorm';

/** docs/adr/0043-comparisons-have-a-budget.md: comparisons of a gallery with itself are counted as openings are. */
export class ComparisonLimits1763900000029 implements MigrationInterface {
  readonly name = 'ComparisonLimits1763900000029';
  readonly harmless = {
    'custody.opening_count.opening_count_kind_check': 'it lets in what it let in before, and more',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE custody.opening_count DROP CONSTRAINT opening_count_kind_check,
        ADD CONSTRAINT opening_count_kind_check
          CHECK (kind IN ('client', 'gallery', 'template', 'found', 'comparison', 'pair', 'alike'));
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM custody.opening_count WHERE kind IN ('comparison', 'pair', 'alike');
      ALTER TABLE custody.opening_count DROP CONSTRAINT opening_count_kind_check,
        ADD CONSTRAINT opening_count_kind_check CHECK (kind IN ('client', 'gallery', 'template', 'found'));
    `);
  }
}
