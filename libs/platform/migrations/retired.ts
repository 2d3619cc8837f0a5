/**
 * What this version has in its database and does not use any more: a table, `schema.table.column`, a constraint or a
 * trigger (`schema.table.name`), a function with its arguments, or `role@` before one of these for a privilege. A later
 * version may remove it while this one runs (docs/adr/0021-expand-and-contract.md); then its line goes, too.
 */
export const RETIRED: readonly string[] = [
  'public.audited_matches(since timestamp with time zone, until timestamp with time zone)',
  'public.count_audited(which text, since timestamp with time zone)',
];
