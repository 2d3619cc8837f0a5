import type { QueryRunner } from 'typeorm';

const END_OF_LIST = ') AS v WHERE v.sealed IS NOT NULL';

/** What a migration that counts more of them says (`harmless`). */
export const COUNTS_MORE = {
  'public.sealed_values()': 'it counts what it counted, and values that the version before does not have',
};

/** Columns whose values are under db_encryption_key, from now on counted by sealed_values() beside what it counts already. */
export function countSealed(runner: QueryRunner, table: string, columns: readonly string[]): Promise<void> {
  return change(runner, END_OF_LIST, `${listed(table, columns)}${END_OF_LIST}`);
}

/** The way back. */
export function countSealedNoMore(
  runner: QueryRunner,
  table: string,
  columns: readonly string[],
): Promise<void> {
  return change(runner, listed(table, columns), '');
}

function listed(table: string, columns: readonly string[]): string {
  const lines = columns.map(
    (column) => `  UNION ALL SELECT '${table}.${column}', t.${column} FROM public.${table} t\n          `,
  );
  return lines.join('');
}

async function change(runner: QueryRunner, part: string, instead: string): Promise<void> {
  const [{ definition }]: [{ definition: string }] = await runner.query(
    `SELECT pg_get_functiondef('public.sealed_values()'::regprocedure) AS definition`,
  );
  if (!definition.includes(part)) throw new Error('sealed_values() is not as its migrations left it');
  await runner.query(definition.replace(part, () => instead));
}
