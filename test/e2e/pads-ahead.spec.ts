import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function count(table: 'segment' | 'pad', gallery: string): Promise<number> {
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM custody.${table} WHERE gallery_id = $1`,
    [gallery],
  );
  return rows[0].n;
}

test('a new gallery gets its pads before anybody is enrolled', async () => {
  const gallery = await createGallery(client);
  await expect.poll(() => count('pad', gallery), { timeout: 20_000 }).toBe(2048);
});

test('the next segment is opened while the last pads of this one are used, and once only', async () => {
  const gallery = await createGallery(client);
  await expect.poll(() => count('pad', gallery), { timeout: 20_000 }).toBe(2048);
  // As if 1,800 templates had been sealed.
  await stack.owner.query('DELETE FROM custody.pad WHERE gallery_id = $1 AND slot < 1800', [gallery]);
  const people = await Promise.all(Array.from({ length: 8 }, () => consentingSubject(client)));
  const enrolments = people.map(({ subjectId }, i) => enrol(client, gallery, subjectId, embedding(i)));
  (await Promise.all(enrolments)).forEach(ok);
  await expect.poll(() => count('segment', gallery), { timeout: 20_000 }).toBe(2);
  expect(await count('pad', gallery)).toBe(248 - 8 + 2048);
  const { rows } = await stack.owner.query('SELECT DISTINCT slot FROM template WHERE gallery_id = $1', [
    gallery,
  ]);
  expect(rows.map(({ slot }) => slot).toSorted((a, b) => a - b)).toEqual([
    1800, 1801, 1802, 1803, 1804, 1805, 1806, 1807,
  ]);
});

test('a gallery that is destroyed while its pads are made leaves none behind', async () => {
  const gallery = await createGallery(client);
  expect((await client.delete(`/v1/galleries/${gallery}`)).status).toBe(204);
  // A later gallery's pads are made after those of the earlier.
  const later = await createGallery(client);
  await expect.poll(() => count('pad', later), { timeout: 20_000 }).toBe(2048);
  expect([await count('pad', gallery), await count('segment', gallery)]).toEqual([0, 0]);
});
