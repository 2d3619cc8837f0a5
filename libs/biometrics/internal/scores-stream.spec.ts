import type { ScoresPart } from '#custody/key-custodian';
import { newId } from '#platform/ids';
import { ThreadFailed } from '#platform/thread';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MatchingFailed, ScoresStream } from './scores-stream.js';

const C1 = Uint32Array.of(1, 2, 3);

async function partsOf(scores: ScoresStream): Promise<ScoresPart[]> {
  const parts: ScoresPart[] = [];
  for await (const part of scores) parts.push(part);
  return parts;
}

test('whatever comes first, each segment is in one part, c1 in the first alone, and none comes before it', async () => {
  // Where among the segments c1 comes, and after which of them whoever reads gets a turn.
  const story = fc
    .array(fc.boolean(), { maxLength: 12 })
    .chain((turns) =>
      fc.record({ turns: fc.constant(turns), c1After: fc.nat(turns.length), expected: fc.nat(400) }),
    );
  await fc.assert(
    fc.asyncProperty(story, async ({ turns, c1After, expected }) => {
      const scores = new ScoresStream(expected);
      const reading = partsOf(scores);
      const sent = turns.map(() => newId<'segment'>());
      for (let n = 0; n <= turns.length; n++) {
        if (n === c1After) scores.masksMatched(C1);
        const segmentId = sent[n];
        if (segmentId === undefined) break;
        scores.segmentMatched({ segmentId, slots: Uint16Array.of(n), c0: Uint32Array.of(n) });
        if (turns[n] === true) await new Promise(setImmediate);
      }
      scores.end();
      await scores.matched;
      const parts = await reading;
      expect(parts.map(({ c1 }) => c1)).toEqual([C1, ...parts.slice(1).map(() => undefined)]);
      expect(parts.flatMap(({ segments }) => segments.map(({ segmentId }) => segmentId))).toEqual(sent);
      expect(parts.slice(1).every(({ segments }) => segments.length > 0)).toBe(true);
    }),
  );
});

test('a pass that fails is told to whoever reads, at once; what a thread lost, as what can be made anew', async () => {
  for (const [fault, told] of [
    [new RangeError('a fault'), RangeError],
    [new ThreadFailed('gone'), MatchingFailed],
  ] as const) {
    const scores = new ScoresStream(1);
    const reading = partsOf(scores);
    scores.masksMatched(C1);
    await new Promise(setImmediate);
    scores.fail(fault);
    await expect(reading).rejects.toThrow(told);
    await expect(scores.matched).rejects.toThrow(told);
  }
});
