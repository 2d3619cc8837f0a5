import { cosineToScore, innerProduct, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  type Person,
  similar,
  verify,
} from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  // The least that the configuration takes: three segments of 2,048 rows of 2,048 numbers, or their masks.
  stack = await Stack.start({ env: { MATCH_MEMORY_MB: '64' } });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

/** How often the process has read rows for its match threads. */
async function rowReads(): Promise<string> {
  const { rows } = await stack.owner.query(
    `SELECT query_start::text AS last FROM pg_stat_activity
     WHERE application_name = 'velum-rows' AND datname = current_database() ORDER BY pid`,
  );
  return rows.map(({ last }) => last).join();
}

/** A gallery with one template in each of several segments, at the end of it: as large as if it were full. */
async function wideGallery(
  segments: number,
  dimension: number,
): Promise<{ gallery: string; people: Person[] }> {
  const gallery = await createGallery(client, { model: 'own-model', dimension });
  const people: Person[] = [];
  for (let i = 0; i < segments; i++) {
    await expect
      .poll(
        async () => {
          const { rowCount } = await stack.owner.query(
            `UPDATE custody.segment SET used = 2047 WHERE gallery_id = $1 AND used < 2047`,
            [gallery],
          );
          return rowCount;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    people.push(await enrolledPerson(client, gallery, embedding(i + 1, dimension)));
  }
  return { gallery, people };
}

test('a gallery larger than the memory is matched from the database: everybody is found, nobody else', async () => {
  const { gallery, people } = await wideGallery(7, 2048);
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(
      people.map((_, i) => identify(client, gallery, embedding(i + 1, 2048), 5)),
    );
    answers.forEach((answer, i) => {
      expect(ok(answer).candidates).toMatchObject([{ subjectId: people[i]?.subjectId }]);
    });
  }
  expect(ok(await identify(client, gallery, embedding(99, 2048), 5)).candidates).toEqual([]);
  const before = await rowReads();
  ok(await identify(client, gallery, embedding(1, 2048)));
  expect(await rowReads()).not.toBe(before);
  // What changes counts in segments that are in memory and in those that are not.
  for (const [i, person] of people.entries()) {
    ok(await client.post(`/v1/consents/${person.consentId}/withdraw`));
    expect(ok(await identify(client, gallery, embedding(i + 1, 2048))).candidates).toEqual([]);
  }
  const last = await enrolledPerson(client, gallery, embedding(50, 2048));
  expect(ok(await identify(client, gallery, embedding(50, 2048))).candidates).toMatchObject([
    { subjectId: last.subjectId },
  ]);
  expect((await client.delete(`/v1/subjects/${last.subjectId}`)).status).toBe(204);
  expect(ok(await identify(client, gallery, embedding(50, 2048))).candidates).toEqual([]);
}, 120_000);

/** Of a gallery whose threshold is a cosine of 0.9: probes that score it, by plain arithmetic, and one less. */
function probesAround(face: readonly number[]): { at: number[]; below: number[] } {
  const [threshold, template] = [cosineToScore(0.9), quantiseTemplate(face)];
  const found = new Map<number, number[]>();
  let noise = Math.sqrt(1 / 0.9 ** 2 - 1);
  for (let seed = 1_000; !(found.has(0) && found.has(1)); seed++) {
    // As far as a step of the noise changes the score, and then as the digits are rounded.
    for (let tries = 0; tries < 3; tries++) {
      const probe = similar(face, seed, noise);
      const missing = threshold - innerProduct(template, quantiseProbe(probe));
      found.set(missing, probe);
      noise -= missing / 40_000;
    }
  }
  return { at: found.get(0) ?? [], below: found.get(1) ?? [] };
}

test('a gallery larger than the memory gets new keys while it is searched: the scores are the same integers', async () => {
  const dimension = 2048;
  const { gallery, people } = await wideGallery(8, dimension);
  const faces = people.map((_, i) => embedding(i + 1, dimension));
  const probes = faces.map(probesAround);
  /** Who scores exactly the threshold is found, and who scores one less is not. */
  const searchAll = async (): Promise<void> => {
    for (const [i, { subjectId }] of people.entries()) {
      const { at, below } = probes[i] ?? { at: [], below: [] };
      expect(ok(await identify(client, gallery, at)).candidates).toMatchObject([{ subjectId }]);
      expect(ok(await identify(client, gallery, below)).candidates).toEqual([]);
    }
  };
  await searchAll();
  const rotations = `/v1/admin/galleries/${gallery}/key-rotations`;
  const moved = async (): Promise<number> => ok(await client.get(rotations)).items[0].moved;
  // The rows of five segments, which are more than fit, stay under the old keys until this ends.
  const holder = await stack.owner.connect();
  try {
    await holder.query('BEGIN');
    const { rowCount } = await holder.query(
      `SELECT FROM template WHERE gallery_id = $1 AND subject_id = ANY($2) FOR UPDATE`,
      [gallery, people.slice(3).map(({ subjectId }) => subjectId)],
    );
    expect(rowCount).toBe(5);
    ok(await client.post(rotations));
    await stack.startWorker();
    await expect.poll(moved, { timeout: 60_000 }).toBe(3);
    const before = await rowReads();
    await searchAll();
    expect(await rowReads()).not.toBe(before);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  // While the others move nobody is refused, or missed.
  for (let i = 0; (await moved()) < 8; i = (i + 1) % people.length) {
    const searched = await identify(client, gallery, faces[i] ?? []);
    expect(ok(searched).candidates).toMatchObject([{ subjectId: people[i]?.subjectId }]);
  }
  await searchAll();
  await expect
    .poll(async () => ok(await client.get(rotations)).items[0], { timeout: 60_000 })
    .toMatchObject({ state: 'rotated', moved: 8, left: 0 });
  await stack.worker?.stop();
}, 240_000);

test('a gallery that fits is read once', async () => {
  const gallery = await createGallery(client);
  await enrolledPerson(client, gallery, embedding(1));
  ok(await identify(client, gallery, embedding(1)));
  const before = await rowReads();
  for (let i = 0; i < 5; i++) {
    const person = await enrolledPerson(client, gallery, embedding(10 + i));
    expect(ok(await identify(client, gallery, embedding(10 + i))).candidates).toMatchObject([
      { subjectId: person.subjectId },
    ]);
  }
  expect(await rowReads()).toBe(before);
});

test('more galleries than fit take turns in memory', async () => {
  const galleries: { id: string; face: number[]; person: Person }[] = [];
  for (let i = 0; i < 24; i++) {
    const id = await createGallery(client, { model: 'own-model', dimension: 512 });
    const face = embedding(1_000 + i, 512);
    galleries.push({ id, face, person: await enrolledPerson(client, id, face) });
  }
  for (let round = 0; round < 2; round++) {
    for (const { id, face, person } of galleries) {
      const { subjectId } = person;
      expect(ok(await identify(client, id, face)).candidates).toMatchObject([{ subjectId }]);
      expect(ok(await verify(client, id, subjectId, face)).match).toBe(true);
    }
  }
  // All at once: none of them is dropped while it is matched.
  const answers = await Promise.all(
    galleries.flatMap(({ id, face }) => [
      identify(client, id, face),
      identify(client, id, embedding(5, 512)),
    ]),
  );
  answers.forEach((answer, i) => {
    const expected = i % 2 === 0 ? [{ subjectId: galleries[i / 2]?.person.subjectId }] : [];
    expect(ok(answer).candidates).toMatchObject(expected);
  });
}, 120_000);

test('whoever waits too long for a gallery that is loading is told so, and the loading goes on', async () => {
  const { url } = await stack.startApi({ GALLERY_LOAD_SECONDS: '1' });
  const hurried = client.at(url);
  const gallery = await createGallery(client);
  const { subjectId } = await enrolledPerson(client, gallery, embedding(1));
  const blocker = await stack.owner.connect();
  try {
    await blocker.query('BEGIN; LOCK TABLE template IN ACCESS EXCLUSIVE MODE');
    const [first, second] = await Promise.all([1, 2].map(() => identify(hurried, gallery, embedding(1))));
    for (const answer of [first, second]) {
      expect([answer?.status, answer?.body.code]).toEqual([503, 'gallery_loading']);
      expect(answer?.headers.get('retry-after')).toBe('2');
    }
  } finally {
    await blocker.query('ROLLBACK');
    blocker.release();
  }
  expect(ok(await identify(hurried, gallery, embedding(1))).candidates).toMatchObject([{ subjectId }]);
  ok(await enrol(client, gallery, subjectId, embedding(2)));
});

test('the connection that reads rows comes back after it was cut', async () => {
  const cut = await stack.owner.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'velum-rows' AND datname = current_database()`,
  );
  expect(cut.rowCount).toBeGreaterThan(0);
  const gallery = await createGallery(client);
  const { subjectId } = await enrolledPerson(client, gallery, embedding(1));
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toMatchObject([{ subjectId }]);
});
