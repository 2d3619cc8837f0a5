import type { EntityManager } from 'typeorm';
import type {
  Column,
  DataType,
  Privilege,
  Relation,
  Routine,
  Rule,
  RuleKind,
  Schema,
  Trigger,
} from './schema.js';

/** Not PostgreSQL's own, nor what an extension brings along. */
const OURS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const notOfExtension = (catalogue: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalogue}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;

const RELATIONS = `
  SELECT n.nspname::text || '.' || c.relname AS name, c.relkind AS kind, c.relrowsecurity AS "rowSecurity",
         CASE WHEN c.relkind IN ('v', 'm') THEN md5(pg_get_viewdef(c.oid)) END AS query
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND ${OURS} AND ${notOfExtension('pg_class', 'c.oid')}`;

const COLUMNS = `
  SELECT n.nspname::text || '.' || c.relname || '.' || a.attname AS name, n.nspname::text || '.' || c.relname AS relation,
         format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "notNull",
         CASE WHEN a.attidentity = 'd' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END AS standard,
         a.attgenerated <> '' OR a.attidentity = 'a' AS given
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
    AND ${OURS} AND ${notOfExtension('pg_class', 'c.oid')}`;

const columnNames = (relation: string, numbers: string): string =>
  `ARRAY(SELECT a.attname::text FROM unnest(${numbers}::int2[]) WITH ORDINALITY AS listed (n, place)
         LEFT JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = listed.n AND listed.n > 0 ORDER BY place)`;

const CONSTRAINTS = `
  SELECT n.nspname::text || '.' || c.relname || '.' || k.conname AS name, n.nspname::text || '.' || c.relname AS relation,
         k.contype AS type, pg_get_constraintdef(k.oid) AS definition, pg_get_expr(k.conbin, k.conrelid) AS expression,
         ${columnNames('k.conrelid', 'k.conkey')} AS columns,
         coalesce(i.indnullsnotdistinct, false) AS "nullsAlike",
         rn.nspname::text || '.' || r.relname AS references, k.confdeltype IN ('c', 'n', 'd') AS "followsDeletion"
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('u', 'p')
  LEFT JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
  WHERE k.contype IN ('c', 'u', 'p', 'f', 'x') AND ${OURS} AND ${notOfExtension('pg_class', 'c.oid')}
  UNION ALL
  SELECT n.nspname::text || '.' || c.relname || '.' || x.relname, n.nspname::text || '.' || c.relname, 'u',
         pg_get_indexdef(i.indexrelid), NULL, ${columnNames('i.indrelid', 'i.indkey')},
         i.indnullsnotdistinct, NULL, false
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE i.indisunique AND ${OURS} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
    AND ${notOfExtension('pg_class', 'c.oid')}`;

const TRIGGERS = `
  SELECT n.nspname::text || '.' || c.relname || '.' || t.tgname AS name, n.nspname::text || '.' || c.relname AS relation,
         pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text AS definition
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND ${OURS}`;

const POLICIES = `
  SELECT n.nspname::text || '.' || c.relname || '.' || p.polname AS name, n.nspname::text || '.' || c.relname AS relation,
         concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), '/',
                   pg_get_expr(p.polwithcheck, p.polrelid)) AS definition
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`;

const FUNCTIONS = `
  SELECT n.nspname::text || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
         p.prokind::text || ' ' || coalesce(pg_get_function_result(p.oid), '') AS answers,
         CASE WHEN p.prokind = 'a' THEN '' ELSE md5(pg_get_functiondef(p.oid)) END AS body
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS} AND ${notOfExtension('pg_proc', 'p.oid')}`;

const TYPES = `
  SELECT n.nspname::text || '.' || t.typname AS name,
         ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) AS labels,
         CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce((SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                        FROM pg_constraint k WHERE k.contypid = t.oid), '') ELSE '' END AS definition
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('e', 'd') AND ${OURS} AND ${notOfExtension('pg_type', 't.oid')}`;

/** Asked of PostgreSQL, which knows of groups of roles and of PUBLIC. An owner and a superuser may do everything. */
const PRIVILEGES = `
  WITH role AS (SELECT oid, rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper),
  relation AS (SELECT c.oid, c.relkind, c.relowner, n.nspname::text || '.' || c.relname AS name FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND ${OURS})
  SELECT r.rolname AS role, t.name AS on, p.right FROM role r
    JOIN relation t ON NOT pg_has_role(r.oid, t.relowner, 'USAGE') AND t.relkind <> 'S'
    CROSS JOIN unnest(ARRAY['DELETE', 'TRUNCATE']) AS p ("right") WHERE has_table_privilege(r.oid, t.oid, p.right)
  UNION ALL SELECT r.rolname, t.name, p.right FROM role r
    JOIN relation t ON NOT pg_has_role(r.oid, t.relowner, 'USAGE') AND t.relkind = 'S'
    CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p ("right") WHERE has_sequence_privilege(r.oid, t.oid, p.right)
  UNION ALL SELECT r.rolname, t.name || '.' || a.attname, p.right FROM role r
    JOIN relation t ON NOT pg_has_role(r.oid, t.relowner, 'USAGE') AND t.relkind <> 'S'
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p ("right") WHERE has_column_privilege(r.oid, t.oid, a.attnum, p.right)
  UNION ALL SELECT r.rolname, n.nspname, 'USAGE' FROM role r CROSS JOIN pg_namespace n
    WHERE ${OURS} AND NOT pg_has_role(r.oid, n.nspowner, 'USAGE') AND has_schema_privilege(r.oid, n.oid, 'USAGE')
  UNION ALL SELECT r.rolname, n.nspname::text || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')', 'EXECUTE'
    FROM role r CROSS JOIN pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE ${OURS} AND NOT pg_has_role(r.oid, f.proowner, 'USAGE') AND has_function_privilege(r.oid, f.oid, 'EXECUTE')`;

const RULE_KINDS: Readonly<Record<string, RuleKind>> = {
  c: 'check',
  u: 'unique',
  p: 'primary key',
  f: 'foreign key',
  x: 'exclusion',
};

type Named<T> = T & { readonly name: string };

/** As `tx` sees it, with what it has changed itself. */
export async function readSchema(tx: EntityManager): Promise<Schema> {
  const byName = async <T>(query: string): Promise<Map<string, Named<T>>> => {
    const rows = await tx.query<Named<T>[]>(query);
    return new Map(rows.map((row) => [row.name, row]));
  };
  const constraints = await byName<Omit<Rule, 'kind'> & { type: string }>(CONSTRAINTS);
  return {
    relations: await byName<Relation>(RELATIONS),
    columns: await byName<Column>(COLUMNS),
    rules: new Map(
      [...constraints].map(([name, { type, ...rule }]) => [
        name,
        { ...rule, kind: RULE_KINDS[type] ?? 'exclusion' },
      ]),
    ),
    triggers: await byName<Trigger>(TRIGGERS),
    policies: await byName<Trigger>(POLICIES),
    functions: await byName<Routine>(FUNCTIONS),
    types: await byName<DataType>(TYPES),
    privileges: await tx.query<Privilege[]>(PRIVILEGES),
  };
}
