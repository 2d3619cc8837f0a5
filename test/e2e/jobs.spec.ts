import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, identify, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

test('a bulk enrolment ends each line once: done, or refused with a code', async () => {
  const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
  const people = await Promise.all(Array.from({ length: 5 }, () => consentingSubject(client)));
  const stranger = ok(await client.post('/v1/subjects', {}));
  const lines = [
    ...people.map(({ subjectId }, i) => ({ subjectId, embedding: embedding(i) })),
    { subjectId: stranger.id, embedding: embedding(77) },
    { subjectId: people[0]?.subjectId, embedding: [1, 2, 3] },
    { subject: 'misspelt' },
  ];
  const created = ok(await startJob(client, gallery, 'enrol', linesOf(lines)));
  expect(created.state).toBe('received');
  const job = await endedJob(client, created.id);
  expect(job).toMatchObject({ state: 'ended', total: 8, done: 5, refused: 3, failed: 0 });
  const outcomes = await results(client, created.id);
  expect(outcomes.map(({ item, outcome, code }) => [item, outcome, code])).toEqual([
    ...people.map((_, i) => [i + 1, 'done', undefined]),
    [6, 'refused', 'consent_required'],
    [7, 'refused', 'embedding_invalid'],
    [8, 'refused', 'item_malformed'],
  ]);
  for (const [i, { subjectId }] of people.entries()) {
    const { candidates } = ok(await identify(client, gallery, embedding(i)));
    expect(candidates).toEqual([{ subjectId, templateId: outcomes[i].templateId }]);
  }
});
