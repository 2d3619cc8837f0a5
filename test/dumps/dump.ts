import { Client } from 'pg';

type Row = Readonly<Record<string, unknown>>;

/** What a role reads of a database: every column of every table that it may. */
export type Dump = ReadonlyMap<string, readonly Row[]>;

export async function takeDump(url: string, without: readonly string[] = []): Promise<Dump> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; columns: string[] }>(
      `SELECT format('%I.%I', nspname, relname) AS name, array_agg(quote_ident(attname) ORDER BY attnum) AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid
       WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema') AND attnum > 0 AND NOT attisdropped
         AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, attnum, 'SELECT')
       GROUP BY 1`,
    );
    const dump = new Map<string, readonly Row[]>();
    for (const { name, columns } of rows.filter((table) => !without.includes(table.name))) {
      dump.set(name, (await client.query<Row>(`SELECT ${columns.join(', ')} FROM ${name}`)).rows);
    }
    return dump;
  } finally {
    await client.end();
  }
}

/** Two dumps in one pair of hands. */
export function together(one: Dump, other: Dump): Dump {
  return new Map([...one, ...other]);
}

export function valuesOf(dump: Dump): unknown[] {
  return [...dump.values()].flatMap((rows) => rows.flatMap((row) => Object.values(row)));
}
