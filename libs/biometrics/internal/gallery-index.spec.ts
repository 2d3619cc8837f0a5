import { type ConsentId, newId, type SegmentId } from '#platform/ids';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GalleryIndex } from './gallery-index.js';

const segments = Array.from({ length: 3 }, () => newId<'segment'>());
const consents = Array.from({ length: 4 }, () => newId<'consent'>());

type Step =
  | {
      readonly kind: 'add' | 'remove';
      readonly segment: number;
      readonly slot: number;
      readonly consent: number;
    }
  | { readonly kind: 'consent'; readonly consent: number; readonly until: number | null | 'ended' }
  | { readonly kind: 'look'; readonly at: number };

const place = { segment: fc.nat(2), slot: fc.nat(5), consent: fc.nat(3) };
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('add' as const, 'remove' as const), ...place }),
  fc.record({
    kind: fc.constant('consent' as const),
    consent: fc.nat(3),
    until: fc.oneof(fc.constant(null), fc.constant('ended' as const), fc.integer({ min: 1, max: 20 })),
  }),
  fc.record({ kind: fc.constant('look' as const), at: fc.integer({ min: 0, max: 25 }) }),
);

/** The same, without anything remembered. */
class Reference {
  readonly slots = new Map<string, number>();
  readonly until = new Map<number, number | null>();

  live(segment: number, at: number): number[] {
    return [...this.slots].flatMap(([key, consent]) => {
      const [where, slot] = key.split(' ').map(Number);
      const until = this.until.get(consent);
      return where === segment && until !== undefined && (until === null || until > at) ? [slot ?? -1] : [];
    });
  }
}

const segmentAt = (i: number): SegmentId => segments[i] ?? newId<'segment'>();
const consentAt = (i: number): ConsentId => consents[i] ?? newId<'consent'>();

test('the live slots are those whose consent is valid at the moment, whatever happened in between', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (history) => {
      const index = new GalleryIndex();
      const reference = new Reference();
      for (const step of history) {
        if (step.kind === 'look') {
          segments.forEach((segmentId, i) => {
            const live = [...index.liveSlots(segmentId, new Date(step.at))];
            expect(live.toSorted((a, b) => a - b)).toEqual(
              reference.live(i, step.at).toSorted((a, b) => a - b),
            );
          });
        } else if (step.kind === 'consent') {
          const { until } = step;
          const validUntil = typeof until === 'number' ? new Date(until) : until;
          index.applyConsent({ consentId: consentAt(step.consent), validUntil });
          if (until === 'ended') reference.until.delete(step.consent);
          else reference.until.set(step.consent, until);
        } else if (step.kind === 'add') {
          const template = { templateId: newId<'template'>(), subjectId: newId<'subject'>() };
          index.add(segmentAt(step.segment), step.slot, { ...template, consentId: consentAt(step.consent) });
          reference.slots.set(`${step.segment} ${step.slot}`, step.consent);
        } else {
          const known = reference.slots.delete(`${step.segment} ${step.slot}`);
          expect(index.remove(segmentAt(step.segment), step.slot)).toBe(known);
        }
      }
    }),
    { numRuns: 5_000 },
  );
});
