import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, similar, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({
    apis: 0,
    env: { OPENINGS_PER_GALLERY_PER_MINUTE: '12', OPENINGS_PER_SUBJECT_PER_MINUTE: '3' },
  });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

/** As if the gallery had been searched so often that it has to wait. */
async function searchTooOften(gallery: string, seconds: number): Promise<void> {
  await stack.owner.query(
    `UPDATE custody.opening_count SET blocked_until = now() + make_interval(secs => $2)
     WHERE kind = 'gallery' AND id = $1`,
    [gallery, seconds],
  );
}

test('who verifies one person too often is told when to come again, and it is audited as a refusal', async () => {
  const gallery = await createGallery(client);
  const [often, seldom] = [
    await enrolledPerson(client, gallery, embedding(1)),
    await enrolledPerson(client, gallery, embedding(2)),
  ];
  const answers = await Promise.all(
    Array.from({ length: 7 }, () => verify(client, gallery, often.subjectId, embedding(1))),
  );
  const refused = answers.filter(({ status }) => status === 429);
  // Seven straddle two minutes at the most.
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const { body, headers } of refused) {
    expect(body.code).toBe('subject_openings_limited');
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
  }
  expect(ok(await verify(client, gallery, seldom.subjectId, embedding(2))).match).toBe(true);
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM audit_event
     WHERE subject_id = $1 AND type = 'subject.verified' AND code = 'subject_openings_limited' AND outcome = 'refused'`,
    [often.subjectId],
  );
  expect(rows[0].n).toBe(refused.length);
});

test('a bulk job waits where a single search is refused, and no item of it is lost', async () => {
  const gallery = await createGallery(client);
  const person = await enrolledPerson(client, gallery, embedding(3));
  ok(await identify(client, gallery, embedding(3)));
  await searchTooOften(gallery, 120);
  const limited = await identify(client, gallery, embedding(3));
  expect([limited.status, limited.body.code]).toEqual([429, 'openings_limited']);
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(60);
  await searchTooOften(gallery, 8);
  const faces = [embedding(3), embedding(4), similar(embedding(3), 5)];
  const items = faces.map((face) => ({ embedding: face }));
  const { id } = ok(await startJob(client, gallery, 'identify', linesOf(items)));
  const refusals = async (): Promise<number> => {
    const { rows } = await stack.owner.query(
      `SELECT count(*)::int AS n FROM custody.opening WHERE gallery_id = $1 AND outcome = 'limited'`,
      [gallery],
    );
    return rows[0].n;
  };
  // The one above and, together, those of the job.
  await expect.poll(refusals, { timeout: 20_000 }).toBe(4);
  expect(ok(await client.get(`/v1/jobs/${id}`))).toMatchObject({ state: 'running', refused: 0, failed: 0 });
  expect(await endedJob(client, id)).toMatchObject({ done: 3, refused: 0, failed: 0 });
  // It asked again when it was told to, and not before.
  expect(await refusals()).toBe(4);
  const named = (await results(client, id)).map(({ candidates }) => candidates.length);
  expect(named).toEqual([1, 0, 1]);
  expect(person.subjectId).toBe((await results(client, id))[0].candidates[0].subjectId);
});

test('new keys for the gallery give nobody more openings of a person who was asked about too often', async () => {
  const gallery = await createGallery(client);
  const [often, seldom] = [
    await enrolledPerson(client, gallery, embedding(6)),
    await enrolledPerson(client, gallery, embedding(7)),
  ];
  for (const { subjectId } of [often, seldom]) ok(await verify(client, gallery, subjectId, embedding(6)));
  await stack.owner.query(
    `UPDATE custody.opening_count SET blocked_until = now() + interval '1 hour'
     WHERE kind = 'template' AND (id, slot) = (SELECT segment_id, slot FROM template WHERE subject_id = $1)`,
    [often.subjectId],
  );
  const rotations = `/v1/admin/galleries/${gallery}/key-rotations`;
  const { id } = ok(await client.post(rotations));
  const state = async (): Promise<string> => ok(await client.get(`${rotations}/${id}`)).state;
  await expect.poll(state, { timeout: 60_000 }).toBe('rotated');
  const limited = await verify(client, gallery, often.subjectId, embedding(6));
  expect([limited.status, limited.body.code]).toEqual([429, 'subject_openings_limited']);
  expect(ok(await verify(client, gallery, seldom.subjectId, embedding(7))).match).toBe(true);
});
