import type { DuplicatePair } from '#biometrics/find-duplicates';
import type { SubjectId, TemplateId } from '#platform/ids';

/** Subjects who may be one person: each looks like another of them, directly or through others. */
export interface DuplicateGroup {
  readonly subjects: readonly {
    readonly subjectId: SubjectId;
    readonly templateIds: readonly TemplateId[];
  }[];
  readonly pairs: readonly DuplicatePair[];
}

/** The connected components, each with its subjects in the order of their ids, by the first of them. */
export function duplicateGroups(pairs: readonly DuplicatePair[]): DuplicateGroup[] {
  const parents = new Map<SubjectId, SubjectId>();
  const firstOf = (subjectId: SubjectId): SubjectId => {
    let first = subjectId;
    for (let next = parents.get(first); next !== undefined && next !== first; next = parents.get(first)) {
      // Halves the path, so that a chain of a hundred thousand is not walked again for each of its members.
      parents.set(first, parents.get(next) ?? next);
      first = next;
    }
    return first;
  };
  for (const { left, right } of pairs) {
    const [a, b] = [firstOf(left.subjectId), firstOf(right.subjectId)];
    // The smaller id leads: the order of the pairs does not show in the groups.
    if (a < b) parents.set(b, a);
    else if (b < a) parents.set(a, b);
  }
  const groups = Map.groupBy(pairs, ({ left }) => firstOf(left.subjectId));
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, own]) => groupOf(own));
}

function groupOf(pairs: readonly DuplicatePair[]): DuplicateGroup {
  const sides = pairs.flatMap(({ left, right }) => [left, right]);
  const bySubject = Map.groupBy(sides, ({ subjectId }) => subjectId);
  const subjects = [...bySubject].map(([subjectId, templates]) => ({
    subjectId,
    templateIds: [...new Set(templates.map(({ templateId }) => templateId))].sort(),
  }));
  return { subjects: subjects.sort((a, b) => (a.subjectId < b.subjectId ? -1 : 1)), pairs };
}
