import { countSealed } from '#platform/sealed-columns';
import type { EntityManager } from 'typeorm';
import type { Manifest } from '../manifest.js';
import { LEFT_OUT } from './left-out.js';

/** What a snapshot holds, told while it is open. */
export type SnapshotFacts = Pick<
  Manifest,
  | 'takenAt'
  | 'postgres'
  | 'schema'
  | 'tables'
  | 'encryptionKeys'
  | 'lastAuditEvent'
  | 'lastLeaf'
  | 'erasuresShipped'
>;

export async function readFacts(tx: EntityManager): Promise<SnapshotFacts> {
  const [facts] = await tx.query<Omit<SnapshotFacts, 'tables' | 'encryptionKeys'>[]>(
    `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "takenAt",
            current_setting('server_version_num')::int / 10000 AS postgres,
            (SELECT name FROM schema_migration ORDER BY timestamp DESC LIMIT 1) AS schema,
            (SELECT id FROM audit_event ORDER BY id DESC LIMIT 1) AS "lastAuditEvent",
            (SELECT json_build_object('index', leaf_index, 'commitment', encode(commitment, 'hex'))
             FROM audit_leaf ORDER BY leaf_index DESC LIMIT 1) AS "lastLeaf",
            (SELECT number::float8 FROM erasure_shipment) AS "erasuresShipped"`,
  );
  if (facts === undefined) throw new Error('a row without a table is always there');
  return { ...facts, tables: await countTables(tx), encryptionKeys: await keysInUse(tx) };
}

/** Of what a dump has in it. */
export async function countTables(tx: EntityManager): Promise<Record<string, number>> {
  const tables = await tx.query<{ name: string }[]>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables.filter((table) => !LEFT_OUT.includes(table.name))) {
    const [row] = await tx.query<{ n: number }[]>(`SELECT count(*)::float8 AS n FROM ${name}`);
    counts[name] = row?.n ?? 0;
  }
  return counts;
}

async function keysInUse(tx: EntityManager): Promise<string[]> {
  return [...new Set((await countSealed(tx)).map(({ keyId }) => keyId))].sort();
}
