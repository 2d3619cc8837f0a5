import { withDatabase } from '#platform/one-off-database';
import { BadBackup } from '../cannot-back-up.js';

/** Throws unless the apps can read what they were granted, as their own role. */
export async function requireReadable(ownerUrl: string, appUrl: string): Promise<void> {
  const tables = await withDatabase(ownerUrl, 'velum-restore', (db) =>
    db.query<{ name: string }[]>(
      `SELECT DISTINCT format('%I.%I', table_schema, table_name) AS name FROM information_schema.role_table_grants
       WHERE grantee = 'velum_app' AND privilege_type = 'SELECT' ORDER BY 1`,
    ),
  );
  if (tables.length === 0) throw new BadBackup('The restored database grants velum_app nothing.');
  await withDatabase(appUrl, 'velum-restore', async (db) => {
    for (const { name } of tables) await db.query(`SELECT FROM ${name} LIMIT 1`);
  });
}
