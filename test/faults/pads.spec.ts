import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, identify, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { asOfTheVersionBefore } from '../harness/version-before.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2 });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function slotsGiven(gallery: string): Promise<number> {
  const { rows } = await stack.owner.query(
    'SELECT sum(used)::int AS n FROM custody.segment WHERE gallery_id = $1',
    [gallery],
  );
  return rows[0].n;
}

async function slotsUsed(gallery: string): Promise<{ templates: number; slots: number }> {
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS templates, count(DISTINCT (segment_id, slot))::int AS slots FROM template WHERE gallery_id = $1`,
    [gallery],
  );
  return rows[0];
}

test('two processes that enrol at once never use one pad twice', async () => {
  const gallery = await createGallery(client);
  const subjects = await Promise.all(Array.from({ length: 20 }, () => consentingSubject(client)));
  const urls = stack.apis.map((api) => api.url);
  const answers = await Promise.all(
    subjects.flatMap(({ subjectId }, i) =>
      [0, 1, 2, 3].map((j) =>
        enrol(client.at(urls[(i + j) % 2] ?? ''), gallery, subjectId, embedding(i * 10 + j)),
      ),
    ),
  );
  answers.forEach(ok);
  expect(await slotsUsed(gallery)).toEqual({ templates: 80, slots: 80 });
  expect(await slotsGiven(gallery)).toBe(80);
});

test('no pad comes back, whenever a process is killed while it enrols', async () => {
  const gallery = await createGallery(client);
  const subjects = await Promise.all(Array.from({ length: 10 }, () => consentingSubject(client)));
  const acknowledged: number[] = [];
  let face = 1_000;
  for (let round = 0; round < 6; round++) {
    const victim = await stack.startApi();
    const there = client.at(victim.url);
    const requests = subjects.map(async ({ subjectId }) => {
      const seed = ++face;
      const answer = await enrol(there, gallery, subjectId, embedding(seed)).catch(() => undefined);
      if (answer?.status === 201) acknowledged.push(seed);
    });
    // After the answer to one of them, when the others are in all the places where they can be.
    await Promise.race(requests);
    victim.kill('SIGKILL');
    await Promise.all(requests);
  }
  const { templates, slots } = await slotsUsed(gallery);
  expect(slots).toBe(templates);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(templates).toBeGreaterThanOrEqual(acknowledged.length);
  const reusable = await stack.owner.query(
    `SELECT 1 FROM template t JOIN custody.segment s ON s.id = t.segment_id
     WHERE t.gallery_id = $1 AND t.slot >= s.used`,
    [gallery],
  );
  expect(reusable.rowCount).toBe(0);
  for (const seed of acknowledged) {
    expect(ok(await identify(client, gallery, embedding(seed))).candidates).toHaveLength(1);
  }
}, 120_000);

test('the custodian can never give a slot again, and a slot whose pad is unused is never opened', async () => {
  const gallery = await createGallery(client);
  const { subjectId } = await consentingSubject(client);
  ok(await enrol(client, gallery, subjectId, embedding(5)));
  const app = new Client({ connectionString: stack.urls.custodian });
  await app.connect();
  await expect(app.query('UPDATE custody.segment SET used = used - 1')).rejects.toThrow(/never given again/);
  await expect(app.query('UPDATE custody.segment SET used = used')).rejects.toThrow(/never given again/);
  // A secret is sealed anew when the encryption key is replaced, and never with a slot in the same statement.
  await expect(app.query('UPDATE custody.segment SET secret = secret')).rejects.toThrow(/never given again/);
  await expect(app.query("UPDATE custody.segment SET used = used + 1, secret = ''")).rejects.toThrow(
    /never given again/,
  );
  await app.end();
  // Somebody with the database in hand points the row at a slot that was not given yet: the custodian must refuse.
  await asOfTheVersionBefore(stack, gallery);
  await stack.owner.query('UPDATE template SET slot = 2000 WHERE gallery_id = $1', [gallery]);
  const path = `/v1/galleries/${gallery}/subjects/${subjectId}/verify`;
  expect((await client.post(path, { embedding: embedding(5) })).status).toBe(500);
  expect(stack.log).toContain('OpeningRefused');
});
