import { withDatabase } from '#platform/one-off-database';
import { BadBackup } from '../cannot-back-up.js';

/** Throws unless a role can read what it was granted, by itself. */
export async function requireReadable(ownerUrl: string, roleUrl: string): Promise<void> {
  const role = decodeURIComponent(new URL(roleUrl).username);
  const tables = await withDatabase(ownerUrl, 'velum-restore', (db) =>
    db.query<{ name: string }[]>(
      `SELECT DISTINCT format('%I.%I', table_schema, table_name) AS name FROM information_schema.role_table_grants
       WHERE grantee = $1 AND privilege_type = 'SELECT' ORDER BY 1`,
      [role],
    ),
  );
  if (tables.length === 0) throw new BadBackup(`The restored database grants ${role} nothing.`);
  await withDatabase(roleUrl, 'velum-restore', async (db) => {
    for (const { name } of tables) await db.query(`SELECT FROM ${name} LIMIT 1`);
  });
}
