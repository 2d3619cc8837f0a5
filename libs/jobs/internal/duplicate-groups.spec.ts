import type { DuplicatePair } from '#biometrics/find-duplicates';
import { asId } from '#platform/ids';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duplicateGroups } from './duplicate-groups.js';

function idOf<Kind extends string>(kind: number, n: number): ReturnType<typeof asId<Kind>> {
  return asId<Kind>(`0199${kind}000-0000-7000-8000-${String(n).padStart(12, '0')}`);
}

function sideOf(subject: number, template: number): DuplicatePair['left'] {
  return {
    subjectId: idOf<'subject'>(1, subject),
    templateId: idOf<'template'>(2, subject * 10 + template),
  };
}

const sides = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 }));
const pairLists = fc.array(
  fc
    .tuple(sides, sides)
    .filter(([[a], [b]]) => a !== b)
    .map(([left, right]): DuplicatePair => ({ left: sideOf(...left), right: sideOf(...right) })),
  { maxLength: 40 },
);

function subjectsOf(
  pairs: readonly DuplicatePair[],
): ReturnType<typeof duplicateGroups>[number]['subjects'][] {
  return duplicateGroups(pairs).map(({ subjects }) => subjects);
}

/** Who can be reached from a subject over pairs, by the plainest means. */
function reachable(pairs: readonly DuplicatePair[], from: string): Set<string> {
  const reached = new Set([from]);
  for (let before = 0; before !== reached.size;) {
    before = reached.size;
    for (const { left, right } of pairs) {
      if (reached.has(left.subjectId)) reached.add(right.subjectId);
      if (reached.has(right.subjectId)) reached.add(left.subjectId);
    }
  }
  return reached;
}

test('a group is all whom pairs connect, with every pair and template of theirs, and each is in one group', () => {
  fc.assert(
    fc.property(pairLists, (pairs) => {
      const groups = duplicateGroups(pairs);
      const named = groups.flatMap(({ subjects }) => subjects.map(({ subjectId }) => subjectId));
      expect(new Set(named).size).toBe(named.length);
      expect(new Set(named)).toEqual(
        new Set(pairs.flatMap(({ left, right }) => [left.subjectId, right.subjectId])),
      );
      for (const group of groups) {
        const members = group.subjects.map(({ subjectId }) => subjectId);
        for (const each of members) expect(new Set(members)).toEqual(reachable(pairs, each));
        expect(group.pairs).toEqual(pairs.filter(({ left }) => members.includes(left.subjectId)));
        for (const { subjectId, templateIds } of group.subjects) {
          const own = pairs
            .flatMap(({ left, right }) => [left, right])
            .filter((side) => side.subjectId === subjectId)
            .map(({ templateId }) => templateId);
          expect(templateIds).toEqual([...new Set(own)].sort());
        }
      }
    }),
  );
});

test('groups and who is in them come in the order of the ids, whatever the order of the pairs', () => {
  fc.assert(
    fc.property(
      pairLists.chain((pairs) =>
        fc.tuple(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length })),
      ),
      ([pairs, shuffled]) => {
        expect(subjectsOf(shuffled)).toEqual(subjectsOf(pairs));
        const firsts = subjectsOf(pairs).map(([first]) => first?.subjectId ?? '');
        expect(firsts).toEqual(firsts.toSorted());
      },
    ),
  );
});

test('a chain of a hundred thousand who each look like the next is one group, from either end', () => {
  const chain = Array.from({ length: 100_000 }, (_, n): DuplicatePair => ({
    left: sideOf(n, 0),
    right: sideOf(n + 1, 0),
  }));
  // Walking the chain for each of its members would take longer than a test may.
  for (const pairs of [chain, chain.toReversed()]) {
    expect(subjectsOf(pairs).map(({ length }) => length)).toEqual([100_001]);
  }
});
