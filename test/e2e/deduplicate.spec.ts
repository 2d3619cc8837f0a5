import { cosineToPairScore, quantiseTemplate } from '#homomorphic/quantised-vector';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  grantConsent,
  ok,
  PURPOSE,
  similar,
} from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';

const COSINE = 0.9;

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

function deduplicate(galleryId: string, headers: Record<string, string> = {}): Promise<Answer> {
  return client.post(`/v1/galleries/${galleryId}/jobs?type=deduplicate`, undefined, headers);
}

/** The groups of a gallery as it is now. */
async function groupsIn(galleryId: string): Promise<Json[]> {
  const { id } = ok(await deduplicate(galleryId));
  const job = await endedJob(client, id);
  expect(job).toMatchObject({ type: 'deduplicate', state: 'ended', failed: 0, refused: 0 });
  return results(client, id);
}

function membersOf(groups: readonly Json[]): string[][] {
  return groups.map(({ subjects }) => subjects.map(({ subjectId }: Json) => subjectId));
}

interface Enrolled {
  readonly subjectId: string;
  readonly face: readonly number[];
}

/** The groups that plain arithmetic on the plaintext templates gives, each sorted, and all. */
function plainGroups(enrolled: readonly Enrolled[], cosine = COSINE): string[][] {
  const threshold = cosineToPairScore(cosine);
  const templates = enrolled.map(({ face }) => quantiseTemplate(face));
  const groups: Set<string>[] = [];
  templates.forEach((a, i) => {
    for (let j = i + 1; j < templates.length; j++) {
      const [one, other] = [enrolled[i]?.subjectId ?? '', enrolled[j]?.subjectId ?? ''];
      if (one === other) continue;
      const b = templates[j];
      let score = 0;
      for (let k = 0; k < a.length; k++) score += (a[k] ?? 0) * (b?.[k] ?? 0);
      if (score < threshold) continue;
      const joined = new Set([one, other]);
      for (const group of groups.filter((each) => each.has(one) || each.has(other))) {
        for (const each of group) joined.add(each);
        groups.splice(groups.indexOf(group), 1);
      }
      groups.push(joined);
    }
  });
  return groups.map((group) => [...group].sort()).sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

describe('in a small gallery', () => {
  test('those who look alike are one group each, with their templates and pairs; nobody else is named', async () => {
    const gallery = await createGallery(client, {
      dimension: 128,
      model: 'mine',
      threshold: { cosine: COSINE },
      disclosure: 'band',
    });
    const face = embedding(1);
    const faces = [
      face,
      similar(face, 900),
      embedding(2),
      similar(face, 901),
      embedding(3),
      similar(embedding(3), 902, 0.4),
      embedding(4),
    ];
    const people: Enrolled[] = [];
    for (const each of faces) {
      const { subjectId } = await enrolledPerson(client, gallery, each);
      people.push({ subjectId, face: each });
    }
    // Two templates of one person are no duplicate.
    const [lone] = people.slice(-1);
    if (lone === undefined) throw new Error('nobody');
    ok(await enrol(client, gallery, lone.subjectId, similar(lone.face, 903)));

    const groups = await groupsIn(gallery);
    expect(membersOf(groups)).toEqual(plainGroups(people));
    expect(membersOf(groups)).toEqual([
      [0, 1, 3].map((i) => people[i]?.subjectId),
      [4, 5].map((i) => people[i]?.subjectId),
    ]);
    const [three, two] = groups;
    expect(three.pairs).toHaveLength(3);
    expect(three.pairs.map(({ band }: Json) => band)).toEqual(['strong', 'strong', 'strong']);
    expect(two.pairs.map(({ band }: Json) => band)).toEqual(['sufficient']);
    const [template] = ok(
      await client.get(`/v1/galleries/${gallery}/subjects/${people[4]?.subjectId}/templates`),
    );
    expect(two.subjects[0].templateIds).toEqual([template.id]);
    expect(two.pairs[0].left).toEqual({ subjectId: people[4]?.subjectId, templateId: template.id });
  });

  test('each person that is named is on record, and so is a comparison that names nobody', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    const alone = await enrolledPerson(client, gallery, embedding(10));
    expect(await groupsIn(gallery)).toEqual([]);
    const twin = await enrolledPerson(client, gallery, similar(embedding(10), 910));
    const [group] = await groupsIn(gallery);
    // Without the gallery's leave no band is told.
    expect(group.pairs[0]).not.toHaveProperty('band');
    for (const { subjectId } of [alone, twin]) {
      const { items } = ok(
        await client.get(`/v1/admin/audit-events?type=gallery.deduplicated&subjectId=${subjectId}`),
      );
      expect(items).toMatchObject([{ outcome: 'match', galleryId: gallery, details: { pairs: 1 } }]);
    }
    const all = ok(await client.get(`/v1/admin/audit-events?type=gallery.deduplicated&galleryId=${gallery}`));
    expect(all.items.map(({ outcome }: Json) => outcome).toSorted()).toEqual(['match', 'match', 'no_match']);
  });

  test('whoever withdrew is in no group, before the job and after it, and no one is grouped through them', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    const face = embedding(20);
    // The outer ones look like the middle one, and not like each other.
    const outer = [1, -1].map((side) =>
      face.map((value, i) => value + side * 0.34 * (embedding(21)[i] ?? 0)),
    );
    const middle = await enrolledPerson(client, gallery, face);
    const [left, right] = [
      await enrolledPerson(client, gallery, outer[0] ?? []),
      await enrolledPerson(client, gallery, outer[1] ?? []),
    ];
    const { id } = ok(await deduplicate(gallery));
    await endedJob(client, id);
    const [group] = await results(client, id);
    expect(membersOf([group])).toEqual([[middle, left, right].map(({ subjectId }) => subjectId)]);
    expect(group.pairs).toHaveLength(2);

    ok(await client.post(`/v1/consents/${middle.consentId}/withdraw`));
    expect(await results(client, id)).toEqual([]);
    expect(await groupsIn(gallery)).toEqual([]);
    // A new consent does not bring the old template back.
    await grantConsent(client, middle.subjectId, PURPOSE);
    expect(await groupsIn(gallery)).toEqual([]);
  });

  test('whose consent has ended is not compared at all, even where the template is not erased yet', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    const [one, other] = [
      await enrolledPerson(client, gallery, embedding(30)),
      await enrolledPerson(client, gallery, similar(embedding(30), 930)),
    ];
    expect(membersOf(await groupsIn(gallery))).toEqual([[one.subjectId, other.subjectId]]);
    // Past the API, so that nothing erases the template.
    await stack.owner.query('UPDATE consent SET ended_at = now() WHERE id = $1', [other.consentId]);
    expect(await groupsIn(gallery)).toEqual([]);
    const { items } = ok(
      await client.get(`/v1/admin/audit-events?type=gallery.deduplicated&subjectId=${other.subjectId}`),
    );
    expect(items).toHaveLength(1);
  });

  test('a gallery without templates has no groups, and one that is destroyed meanwhile fails the job', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    expect(await groupsIn(gallery)).toEqual([]);
    await stack.worker?.stop();
    const { id } = ok(await deduplicate(gallery));
    expect(await results(client, id)).toEqual([]);
    ok(await client.delete(`/v1/galleries/${gallery}`));
    await stack.startWorker();
    expect(await endedJob(client, id)).toMatchObject({ state: 'failed', code: 'gallery_not_found' });
  });

  test('groups are told once all was compared: of a job that still runs, was cancelled or failed there are none', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    for (const face of [embedding(40), similar(embedding(40), 940)])
      await enrolledPerson(client, gallery, face);
    const { id } = ok(await deduplicate(gallery));
    await endedJob(client, id);
    expect(await results(client, id)).toHaveLength(1);
    for (const state of ['running', 'cancelled', 'failed']) {
      // What it found is stored; only the state is as if other segments had not been compared.
      await stack.owner.query('UPDATE job SET state = $2 WHERE id = $1', [id, state]);
      expect(await results(client, id)).toEqual([]);
    }
    await stack.owner.query(`UPDATE job SET state = 'ended' WHERE id = $1`, [id]);
    expect(await results(client, id)).toHaveLength(1);
  });

  test('it takes no input, is started once for one idempotency key, and only by who may identify', async () => {
    const gallery = await createGallery(client, { dimension: 128, model: 'mine' });
    const refused = await startJob(client, gallery, 'deduplicate', linesOf([{ embedding: embedding(1) }]));
    expect([refused.status, refused.body.code]).toEqual([415, 'job_input_unsupported']);
    const first = ok(await deduplicate(gallery, { 'idempotency-key': 'dedup-once' }));
    const again = ok(await deduplicate(gallery, { 'idempotency-key': 'dedup-once' }));
    expect(again.id).toBe(first.id);
    const { token } = await TestClient.create(stack, 'jobs:write jobs:read');
    const forbidden = await new TestClient(client.url, token).post(
      `/v1/galleries/${gallery}/jobs?type=deduplicate`,
    );
    expect([forbidden.status, forbidden.body.code]).toEqual([403, 'insufficient_scope']);
  });
});

test('more pairs than anybody could look through fail the job with a code', async () => {
  const gallery = await createGallery(client, { dimension: 64, model: 'mine', threshold: { cosine: 0 } });
  const people = await Promise.all(Array.from({ length: 250 }, () => consentingSubject(client)));
  const lines = people.map(({ subjectId }, i) => ({ subjectId, embedding: embedding(i + 1, 64) }));
  const enrolled = ok(await startJob(client, gallery, 'enrol', linesOf(lines)));
  expect(await endedJob(client, enrolled.id)).toMatchObject({ state: 'ended', done: 250 });
  const { id } = ok(await deduplicate(gallery));
  expect(await endedJob(client, id)).toMatchObject({ state: 'failed', code: 'too_many_pairs' });
  expect(await results(client, id)).toEqual([]);
});

test('in a gallery of several segments the groups are those of plain arithmetic, and reading goes on from a cursor', async () => {
  const dimension = 64;
  const gallery = await createGallery(client, { dimension, model: 'mine', threshold: { cosine: COSINE } });
  const people = await subjectsInBulk(2_600);
  // Two templates each, the second 2,600 places later; now and then it is another person's face.
  const enrolled = Array.from({ length: 5_200 }, (_, i): Enrolled => {
    const own = i % 2_600;
    const seed = i >= 2_600 && i % 40 === 0 ? (own + 1_301) % 2_600 : own;
    const face =
      i >= 2_600 ? similar(embedding(seed + 1, dimension), i + 10_000) : embedding(seed + 1, dimension);
    return { subjectId: people[own] ?? '', face };
  });
  const lines = enrolled.map(({ subjectId, face }) => ({ subjectId, embedding: face }));
  const filled = ok(await startJob(client, gallery, 'enrol', linesOf(lines)));
  expect(await endedJob(client, filled.id)).toMatchObject({ done: 5_200 });

  const { id } = ok(await deduplicate(gallery));
  // Three segments, each with itself and with those after it.
  expect(await endedJob(client, id)).toMatchObject({ state: 'ended', total: 6, done: 6 });
  const groups = await results(client, id);
  const expected = plainGroups(enrolled);
  expect(expected.length).toBeGreaterThan(20);
  expect(membersOf(groups)).toEqual(expected);

  const place = Math.floor(groups.length / 2);
  expect(await results(client, id, groups[place].cursor)).toEqual(groups.slice(place + 1));
});

/** Subjects with a valid consent, written by the owner of the database: thousands of calls would take minutes. */
async function subjectsInBulk(count: number): Promise<string[]> {
  const { subjectId: like } = await consentingSubject(client);
  const { rows } = await stack.owner.query<{ id: string }>(
    `INSERT INTO subject SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
     FROM subject s, generate_series(1, $2) WHERE s.id = $1 RETURNING id`,
    [like, count],
  );
  const ids = rows.map(({ id }) => id);
  await stack.owner.query(
    `INSERT INTO consent SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'subject_id', s.id))).*
     FROM consent c, unnest($2::uuid[]) AS s (id) WHERE c.subject_id = $1`,
    [like, ids],
  );
  return ids;
}
