import { databaseNamed, databaseOf, withDatabase } from '#platform/one-off-database';

/** A database whose place a restored one is to take, if it is there at all. */
export interface TargetDatabase {
  readonly owner: string;
  readonly empty: boolean;
  /** Who besides the owner may do what with it, ready for SQL; null: what PostgreSQL lets everybody do. */
  readonly grants: readonly { readonly grantee: string; readonly privilege: string }[] | null;
}

export async function inspectTarget(url: string): Promise<TargetDatabase | undefined> {
  const found = await withDatabase(databaseNamed(url, 'postgres'), 'velum-restore', async (db) => {
    const [row] = await db.query<Omit<TargetDatabase, 'empty'>[]>(
      `SELECT pg_get_userbyid(datdba) AS owner,
              CASE WHEN datacl IS NOT NULL THEN
                coalesce((SELECT json_agg(json_build_object('privilege', privilege_type, 'grantee',
                            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END))
                          FROM aclexplode(datacl) WHERE grantee <> datdba), '[]')
              END AS grants
       FROM pg_database WHERE datname = $1`,
      [databaseOf(url)],
    );
    return row;
  });
  if (found === undefined) return undefined;
  const empty = await withDatabase(url, 'velum-restore', async (db) => {
    const [row] = await db.query<{ empty: boolean }[]>(
      `SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                          WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS empty`,
    );
    return row?.empty ?? false;
  });
  return { ...found, empty };
}
