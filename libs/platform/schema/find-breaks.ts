import type { Column, Rule, Schema } from './schema.js';

/** Something that a version which knows only the schema before could not go on doing. */
export interface Break {
  /** What it is about, as `RETIRED` names it. */
  readonly about: string;
  readonly sentence: string;
  /** It may be harmless, which a person who looks at it can tell and this comparison cannot. */
  readonly uncertain: boolean;
}

/**
 * What breaks whoever works with `before` once there is `after`. `held`: new checks of which it is known that rows which
 * say nothing about their columns pass them.
 */
export function findBreaks(before: Schema, after: Schema, held: ReadonlySet<string>): readonly Break[] {
  return [
    ...relationBreaks(before, after),
    ...columnBreaks(before, after),
    ...ruleBreaks(before, after, held),
    ...triggerBreaks(before, after),
    ...policyBreaks(before, after),
    ...typeBreaks(before, after),
    ...privilegeBreaks(before, after),
  ];
}

function broken(about: string, sentence: string, uncertain = false): Break {
  return { about, sentence: `${about} ${sentence}`, uncertain };
}

function relationBreaks(before: Schema, after: Schema): Break[] {
  const relations = [...before.relations].flatMap(([name, { kind, rowSecurity, query }]) => {
    const now = after.relations.get(name);
    if (now === undefined) return [broken(name, 'is gone: dropped or renamed')];
    if (now.kind !== kind) return [broken(name, 'has become something else than it was')];
    if (now.rowSecurity && !rowSecurity) return [broken(name, 'shows only some of its rows from now on')];
    return now.query === query ? [] : [broken(name, 'selects something else than it did', true)];
  });
  const functions = [...before.functions].flatMap(([name, { answers, body }]) => {
    const now = after.functions.get(name);
    if (now === undefined) return [broken(name, 'is gone: dropped, or its arguments changed')];
    if (now.answers !== answers) return [broken(name, 'answers something else')];
    return now.body === body ? [] : [broken(name, 'does something else than it did', true)];
  });
  return [...relations, ...functions];
}

function columnBreaks(before: Schema, after: Schema): Break[] {
  const known = [...before.columns].flatMap(([name, column]) => {
    // A table that is gone was told as a whole.
    if (!after.relations.has(column.relation)) return [];
    const now = after.columns.get(name);
    if (now === undefined) return [broken(name, 'is gone: dropped or renamed')];
    return [...changesOf(name, column, now)];
  });
  const added = [...after.columns].flatMap(([name, column]) => {
    if (before.columns.has(name) || !before.relations.has(column.relation)) return [];
    if (!column.notNull || column.standard !== null || column.given) return [];
    return [broken(name, 'is new, may not be null and has no default: rows of the running version lack it')];
  });
  return [...known, ...added];
}

function* changesOf(name: string, column: Column, now: Column): Generator<Break> {
  if (now.type !== column.type) yield broken(name, `changes its type from ${column.type} to ${now.type}`);
  if (now.given && !column.given) yield broken(name, 'takes no value any more');
  if (now.notNull && !column.notNull) yield broken(name, 'may not be null any more');
  if (column.standard !== null && now.standard === null && !now.given)
    yield broken(name, 'has lost its default');
  else if (column.standard !== now.standard && column.standard !== null)
    yield broken(name, 'has another default', true);
}

function ruleBreaks(before: Schema, after: Schema, held: ReadonlySet<string>): Break[] {
  const lost = [...before.rules].flatMap(([name, { kind, relation, definition }]) => {
    // A check that is gone lets more in than before. ON CONFLICT and refusals rely on the others, and on their names.
    if (kind === 'check' || !after.relations.has(relation)) return [];
    return after.rules.get(name)?.definition === definition ? [] : [broken(name, `is gone (${kind})`)];
  });
  const added = [...newRules(before, after)].flatMap(([name, rule]) => {
    const deletion = blockedDeletion(name, rule, before);
    if (!before.relations.has(rule.relation)) return deletion;
    return [...deletion, ...restriction(name, rule, before, after, held)];
  });
  return [...lost, ...added];
}

export function newRules(before: Schema, after: Schema): Map<string, Rule> {
  const known = (name: string, { relation, definition }: Rule): boolean =>
    before.rules.get(name)?.definition === definition ||
    [...before.rules.values()].some((rule) => rule.relation === relation && rule.definition === definition);
  return new Map([...after.rules].filter(([name, rule]) => !known(name, rule)));
}

/** Rows that only the new version makes, and that the running one knows nothing of, would hold back its deletions. */
function blockedDeletion(name: string, rule: Rule, before: Schema): Break[] {
  const { references, followsDeletion } = rule;
  if (references === null || followsDeletion || !before.relations.has(references)) return [];
  const deletes = before.privileges.some(({ on, right }) => on === references && right === 'DELETE');
  return deletes ? [broken(name, `holds back deletions from ${references}: say what ON DELETE does`)] : [];
}

function restriction(
  name: string,
  rule: Rule,
  before: Schema,
  after: Schema,
  held: ReadonlySet<string>,
): Break[] {
  // The running version leaves new columns without a value, which neither a foreign key nor a unique index minds.
  const stayEmpty = rule.columns.map((column) => {
    const named = `${rule.relation}.${column ?? ''}`;
    const now = after.columns.get(named);
    return now !== undefined && !before.columns.has(named) && now.standard === null && !now.given;
  });
  if (rule.kind === 'foreign key' && stayEmpty.includes(true)) return [];
  if (rule.kind === 'unique' && !rule.nullsAlike && stayEmpty.includes(true)) return [];
  if (rule.kind === 'check' && (held.has(name) || widens(rule, before))) return [];
  return [
    broken(name, `is new (${rule.kind}): rows of the running version may break it`, rule.kind === 'check'),
  ];
}

const LISTED = /^CHECK \(\((.+?) = (?:ANY \(ARRAY\[(.+)\]\)|('.*'::[\w ]+))\)\)$/;

/** A list of permitted values that has every value of one before. */
function widens({ relation, definition }: Rule, before: Schema): boolean {
  const now = permitted(definition);
  if (now === undefined) return false;
  return [...before.rules.values()].some((rule) => {
    const then = rule.relation === relation ? permitted(rule.definition) : undefined;
    return then?.of === now.of && then.values.every((value) => now.values.includes(value));
  });
}

function permitted(definition: string): { of: string; values: readonly string[] } | undefined {
  const [, of, several, one] = LISTED.exec(definition) ?? [];
  const values = (several ?? one)?.match(/'(?:[^']|'')*'::[\w ]+/g);
  return of === undefined || values === null || values === undefined ? undefined : { of, values };
}

function triggerBreaks(before: Schema, after: Schema): Break[] {
  const lost = [...before.triggers].flatMap(([name, { relation, definition }]) =>
    after.relations.has(relation) && after.triggers.get(name)?.definition !== definition
      ? [broken(name, 'is gone or changed (trigger)', after.triggers.has(name))]
      : [],
  );
  const added = [...after.triggers].flatMap(([name, { relation }]) =>
    before.relations.has(relation) && !before.triggers.has(name)
      ? [broken(name, 'is new (trigger): what the running version writes may fail in it', true)]
      : [],
  );
  return [...lost, ...added];
}

/** Which rows a policy shows or lets in, or hides when it is gone, is in its expressions. */
function policyBreaks(before: Schema, after: Schema): Break[] {
  const names = new Set([...before.policies.keys(), ...after.policies.keys()]);
  return [...names].flatMap((name) => {
    const [then, now] = [before.policies.get(name), after.policies.get(name)];
    const relation = then?.relation ?? now?.relation ?? '';
    if (!before.relations.has(relation) || !after.relations.has(relation)) return [];
    if (then?.definition === now?.definition) return [];
    return [broken(name, 'is new, changed or gone (row policy)', true)];
  });
}

function typeBreaks(before: Schema, after: Schema): Break[] {
  return [...before.types].flatMap(([name, { labels, definition }]) => {
    const now = after.types.get(name);
    if (now === undefined) return [broken(name, 'is gone: dropped or renamed')];
    if (now.definition !== definition) return [broken(name, 'permits other values')];
    const lost = labels.filter((label) => !now.labels.includes(label));
    return lost.map((label) => broken(name, `has lost the value '${label}'`));
  });
}

function privilegeBreaks(before: Schema, after: Schema): Break[] {
  const held = new Set(after.privileges.map(({ role, on, right }) => `${role} ${right} ${on}`));
  const there = (name: string): boolean =>
    [after.relations, after.columns, after.functions].some((map) => map.has(name)) ||
    ![before.relations, before.columns, before.functions].some((map) => map.has(name));
  return before.privileges.flatMap(({ role, on, right }) =>
    held.has(`${role} ${right} ${on}`) || !there(on)
      ? []
      : [broken(`${role}@${on}`, `lacks the privilege ${right}`)],
  );
}
