import type { EntityManager } from 'typeorm';
import { newRules } from './find-breaks.js';
import type { Rule, Schema } from './schema.js';

/** Of the new checks over new columns alone: those that a row passes which says nothing about these columns. */
export async function checksHeldByDefault(
  tx: EntityManager,
  before: Schema,
  after: Schema,
): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (const [name, rule] of newRules(before, after)) {
    const row = rule.kind === 'check' ? defaultRow(rule, before, after) : undefined;
    if (row === undefined || rule.expression === null) continue;
    // PostgreSQL's own texts of the check and of the defaults, from its catalogue.
    const [answer] = await tx.query<{ held: boolean }[]>(
      `SELECT (${rule.expression}) IS NOT FALSE AS held FROM (SELECT ${row}) AS written`,
    );
    if (answer?.held === true) held.add(name);
  }
  return held;
}

function defaultRow({ relation, columns }: Rule, before: Schema, after: Schema): string | undefined {
  const values: string[] = [];
  for (const column of columns) {
    const name = `${relation}.${column ?? ''}`;
    const now = after.columns.get(name);
    if (now === undefined || now.given || before.columns.has(name)) return undefined;
    values.push(`(${now.standard ?? 'NULL'})::${now.type} AS "${(column ?? '').replaceAll('"', '""')}"`);
  }
  return values.length === 0 ? undefined : values.join(', ');
}
