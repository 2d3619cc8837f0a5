import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What officers are told of the custodian's keys: numbers, times and ids, for roles that may not read the table. */
export class WrappingKeyStates1763900000040 implements MigrationInterface {
  readonly name = 'WrappingKeyStates1763900000040';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION wrapping_key_states()
        RETURNS TABLE (key_id text, place bigint, resealed bigint, seen_at timestamptz, ended_at timestamptz)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT key_id, place, resealed, seen_at, ended_at FROM custody.wrapping_key
        $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION wrapping_key_states();');
  }
}
