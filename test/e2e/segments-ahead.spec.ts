import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, identify, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function segments(gallery: string): Promise<number[]> {
  const { rows } = await stack.owner.query(
    'SELECT used FROM custody.segment WHERE gallery_id = $1 ORDER BY id',
    [gallery],
  );
  return rows.map(({ used }) => used);
}

test('a new gallery gets its first segment before anybody is enrolled, and it costs half a kilobyte', async () => {
  const gallery = await createGallery(client);
  await expect.poll(() => segments(gallery), { timeout: 20_000 }).toEqual([0]);
  const { rows } = await stack.owner.query(
    'SELECT pg_column_size(s.*) + pg_column_size(k.*) AS bytes FROM custody.segment s, custody.key_set k WHERE s.gallery_id = $1 AND k.gallery_id = $1',
    [gallery],
  );
  expect(rows[0].bytes).toBeLessThan(1_000);
});

test('the next segment is opened while the last slots of this one are used, and once only', async () => {
  const gallery = await createGallery(client);
  await expect.poll(() => segments(gallery), { timeout: 20_000 }).toEqual([0]);
  // As if 1,800 templates had been sealed.
  await stack.owner.query('UPDATE custody.segment SET used = 1800 WHERE gallery_id = $1', [gallery]);
  const people = await Promise.all(Array.from({ length: 8 }, () => consentingSubject(client)));
  const enrolments = people.map(({ subjectId }, i) => enrol(client, gallery, subjectId, embedding(i)));
  (await Promise.all(enrolments)).forEach(ok);
  await expect.poll(() => segments(gallery), { timeout: 20_000 }).toEqual([1808, 0]);
  const { rows } = await stack.owner.query('SELECT DISTINCT slot FROM template WHERE gallery_id = $1', [
    gallery,
  ]);
  expect(rows.map(({ slot }) => slot).toSorted((a, b) => a - b)).toEqual([
    1800, 1801, 1802, 1803, 1804, 1805, 1806, 1807,
  ]);
});

test('templates that a segment has no room for go to the next, and all are found', async () => {
  const gallery = await createGallery(client);
  await expect.poll(() => segments(gallery), { timeout: 20_000 }).toEqual([0]);
  await stack.owner.query('UPDATE custody.segment SET used = 2045 WHERE gallery_id = $1', [gallery]);
  const people = await Promise.all(Array.from({ length: 6 }, () => consentingSubject(client)));
  for (const [i, { subjectId }] of people.entries())
    ok(await enrol(client, gallery, subjectId, embedding(50 + i)));
  expect(await segments(gallery)).toEqual([2048, 3]);
  for (const [i, { subjectId }] of people.entries()) {
    const { candidates } = ok(await identify(client, gallery, embedding(50 + i)));
    expect(candidates).toMatchObject([{ subjectId }]);
  }
});

test('a gallery that is destroyed while its segment is opened leaves none behind', async () => {
  const gallery = await createGallery(client);
  expect((await client.delete(`/v1/galleries/${gallery}`)).status).toBe(204);
  const later = await createGallery(client);
  await expect.poll(() => segments(later), { timeout: 20_000 }).toEqual([0]);
  expect(await segments(gallery)).toEqual([]);
});
