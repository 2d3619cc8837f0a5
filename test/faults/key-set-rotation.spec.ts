import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { innerProduct, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { asId } from '#platform/ids';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exactScores } from '../harness/exact-scores.js';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import {
  consentingPeople,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  type Person,
  verify,
} from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

/** More than one segment of them. */
const PEOPLE = 2_200;

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({
    env: { RATE_LIMIT_CLIENT_PER_MINUTE: '1000000', RATE_LIMIT_IP_PER_MINUTE: '1000000' },
  });
  client = await TestClient.create(stack);
  // One replica has custody in its process, the other asks one of two custodians, and workers the second.
  for (let i = 0; i < 2; i++) await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
});

afterAll(() => stack.stop());

async function sql(statement: string, ...values: readonly unknown[]): Promise<Json[]> {
  return (await stack.owner.query(statement, [...values])).rows;
}

function rotations(gallery: string): string {
  return `/v1/admin/galleries/${gallery}/key-rotations`;
}

async function rotated(gallery: string, id: string): Promise<Json> {
  let rotation: Json;
  await expect
    .poll(
      async () => {
        rotation = ok(await client.get(`${rotations(gallery)}/${id}`));
        return rotation.state;
      },
      { timeout: 120_000, interval: 100 },
    )
    .toBe('rotated');
  return rotation;
}

/** What every template of the gallery scores, as a custodian with the keys of now opens it. */
async function scores(gallery: string, asked: readonly number[]): Promise<Map<string, number>> {
  const config = loadConfig({ ...process.env, ...stack.env });
  const db = await CustodyDatabase.connect(config);
  const custodian = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
  try {
    const rows = await sql(
      `SELECT subject_id AS name, segment_id AS "segmentId", slot, "row" FROM template WHERE gallery_id = $1`,
      gallery,
    );
    return await exactScores(custodian, asId<'gallery'>(gallery), quantiseProbe(asked), rows);
  } finally {
    await custodian.onApplicationShutdown();
    await db.destroy();
  }
}

/** Verifies and identifies people one after the other, through one replica, until it is stopped. */
class Traffic {
  calls = 0;
  readonly failures: string[] = [];
  private running = true;
  private readonly done: Promise<unknown>;

  constructor(at: TestClient, gallery: string, people: readonly Person[], first: number) {
    this.done = this.run(at, gallery, people, first);
  }

  stop(): Promise<unknown> {
    this.running = false;
    return this.done;
  }

  private async run(
    at: TestClient,
    gallery: string,
    people: readonly Person[],
    first: number,
  ): Promise<void> {
    for (let n = first; this.running; n = (n + 97) % people.length) {
      const subjectId = people[n]?.subjectId ?? '';
      const face = embedding(n + 1);
      const verified = await verify(at, gallery, subjectId, face);
      if (verified.body.match !== true) this.failures.push(`verify ${JSON.stringify(verified.body)}`);
      const found = await identify(at, gallery, face, 3);
      const names = found.body.candidates?.map((candidate: Json) => candidate.subjectId);
      if (names?.join() !== subjectId) this.failures.push(`identify ${n} ${JSON.stringify(found.body)}`);
      this.calls += 2;
    }
  }
}

test('a gallery gets new keys while it is used and workers are killed; nothing is lost, and the old keys are gone', async () => {
  const gallery = await createGallery(client);
  const people = await consentingPeople(client, PEOPLE);
  const filling = await stack.startWorker();
  const lines = linesOf(people.map(({ subjectId }, n) => ({ subjectId, embedding: embedding(n + 1) })));
  const job = ok(await startJob(client, gallery, 'enrol', lines));
  expect(await endedJob(client, job.id)).toMatchObject({ done: PEOPLE });
  await filling.stop();
  const staying = people.slice(0, PEOPLE - 200);
  const probe = embedding(5);
  const before = await scores(gallery, probe);
  const template = quantiseTemplate(embedding(1));
  expect(before.get(people[0]?.subjectId ?? '')).toBe(innerProduct(template, quantiseProbe(probe)));
  const oldSegments = await sql('SELECT id FROM custody.segment WHERE gallery_id = $1', gallery);
  const oldRows = await sql('SELECT "row" FROM template WHERE gallery_id = $1 LIMIT 1', gallery);

  const traffic = stack.apis.map((api, i) => new Traffic(client.at(api.url), gallery, staying, i * 500));
  const { id } = ok(await client.post(rotations(gallery)));
  expect((await client.post(rotations(gallery))).body.code).toBe('key_rotation_under_way');
  const moved = async (): Promise<number> =>
    (await sql('SELECT moved FROM key_set_rotation WHERE id = $1', id))[0]?.moved;
  for (let kills = 0; kills < 3; kills++) {
    const reached = await moved();
    const worker = await stack.startWorker(stack.custody('velum_worker', stack.custodians.at(-1)));
    await expect.poll(moved, { timeout: 30_000, interval: 2 }).toBeGreaterThan(reached);
    const killed = kills === 1 ? stack.custodians.at(-1) : worker;
    killed?.kill('SIGKILL');
    await killed?.stop();
    if (kills === 1) await stack.startCustodian();
    await worker.stop('SIGKILL');
  }
  expect(await moved()).toBeLessThan(PEOPLE);

  // Two workers at once go on, while some enrol, withdraw, are erased and are erased by a job.
  const [gone, withdrawn] = [people.slice(-100), people.slice(-200, -100)];
  const custody = stack.custody('velum_worker', stack.custodians.at(-1));
  const workers = [await stack.startWorker(), await stack.startWorker(custody)];
  const fresh = await Promise.all(
    Array.from({ length: 20 }, (_, i) => enrolledPerson(client, gallery, embedding(90_000 + i))),
  );
  await Promise.all(
    gone.slice(0, 50).map(async ({ subjectId }) => ok(await client.delete(`/v1/subjects/${subjectId}`))),
  );
  const erasing = await startJob(
    client,
    gallery,
    'erase',
    linesOf(gone.slice(50).map(({ subjectId }) => ({ subjectId }))),
  );
  await Promise.all(
    withdrawn.map(async ({ consentId }) => ok(await client.post(`/v1/consents/${consentId}/withdraw`))),
  );
  expect(await endedJob(client, ok(erasing).id)).toMatchObject({ done: 50, failed: 0 });
  const rotation = await rotated(gallery, id);
  for (const each of traffic) await each.stop();
  expect(traffic.flatMap(({ failures }) => failures)).toEqual([]);
  expect(traffic.every(({ calls }) => calls > 50)).toBe(true);

  expect(rotation).toMatchObject({
    rows: PEOPLE,
    left: 0,
    segments: oldSegments.length,
    segmentsDestroyed: oldSegments.length,
    waitsFor: null,
  });
  const records = await sql(
    'SELECT id, type, details FROM audit_event WHERE id = ANY($1) ORDER BY id',
    rotation.auditRecords,
  );
  expect(records.map((record) => record.id)).toEqual(rotation.auditRecords);
  expect(records.at(-1)).toMatchObject({
    type: 'key_set.rotated',
    details: { rows: rotation.moved, segmentsDestroyed: oldSegments.length },
  });
  const batches = records.filter(({ type }) => type === 'key_set.rows_resealed');
  expect(batches.reduce((sum, { details }) => sum + details.rows, 0)).toBe(rotation.moved);

  // Everybody who stayed scores what he scored, to the last digit; who went is gone.
  const after = await scores(gallery, probe);
  expect(staying.map(({ subjectId }) => after.get(subjectId))).toEqual(
    staying.map(({ subjectId }) => before.get(subjectId)),
  );
  for (const { subjectId } of gone) expect(after.has(subjectId)).toBe(false);
  for (const { subjectId } of fresh) expect(after.has(subjectId)).toBe(true);
  for (const api of stack.apis) {
    const at = client.at(api.url);
    for (const [i, { subjectId }] of fresh.entries()) {
      expect(ok(await verify(at, gallery, subjectId, embedding(90_000 + i))).match).toBe(true);
    }
    for (const { subjectId } of withdrawn.slice(0, 5)) {
      expect((await verify(at, gallery, subjectId, embedding(1))).status).toBe(403);
    }
  }
  const left = await sql(
    'SELECT id FROM custody.segment WHERE id = ANY($1)',
    oldSegments.map((each) => each.id),
  );
  expect(left).toEqual([]);
  const [kept] = await sql('SELECT count(*)::int AS n FROM template WHERE "row" = $1', oldRows[0]?.row);
  expect(kept).toEqual({ n: 0 });
  const [slots] = await sql(
    `SELECT count(*) FILTER (WHERE t.slot >= s.used)::int AS unused, count(*) FILTER (WHERE s.id IS NULL)::int AS lost
     FROM template t LEFT JOIN custody.segment s ON s.id = t.segment_id WHERE t.gallery_id = $1`,
    gallery,
  );
  expect(slots).toEqual({ unused: 0, lost: 0 });
  await Promise.all(workers.map((worker) => worker.stop()));
}, 600_000);

test('a row that was tampered with is not moved, and the old keys stay until it is erased', async () => {
  const gallery = await createGallery(client);
  const ada = await enrolledPerson(client, gallery, embedding(1));
  const bob = await enrolledPerson(client, gallery, embedding(2));
  await sql(
    'UPDATE template SET subject_id = $1, consent_id = $2 WHERE subject_id = $3',
    bob.subjectId,
    bob.consentId,
    ada.subjectId,
  );
  const [broken] = await sql(
    'SELECT id FROM template WHERE gallery_id = $1 ORDER BY created_at LIMIT 1',
    gallery,
  );
  const worker = await stack.startWorker();
  const { id } = ok(await client.post(rotations(gallery)));
  const follow = async (): Promise<Json> => ok(await client.get(`${rotations(gallery)}/${id}`));
  await expect.poll(async () => (await follow()).waitsFor, { timeout: 30_000 }).toBe('tampered_templates');
  // Rotations are carried out in their order: once this one has ended, the other was looked at as a whole.
  const other = await createGallery(client);
  await rotated(other, ok(await client.post(rotations(other))).id);
  expect(await follow()).toMatchObject({ state: 'moving', moved: 1, left: 1, segmentsDestroyed: 0 });
  const events = await sql(
    `SELECT details FROM audit_event WHERE type = 'template.binding_broken' AND gallery_id = $1`,
    gallery,
  );
  expect(events).toMatchObject([{ details: { templateId: broken?.id } }]);
  // The row that moved is not opened where it was, either, once no search looks for it there.
  const [noted] = await sql(
    `UPDATE slot_retirement r SET not_before = now() FROM custody.segment s
     WHERE s.id = r.segment_id AND s.gallery_id = $1 AND not_before > now() + interval '10 seconds'
     RETURNING s.id, slot`,
    gallery,
  );
  expect(noted?.slot).toBe(1);
  await expect
    .poll(
      () =>
        sql(
          'SELECT get_bit(slots, $2) AS moved, get_bit(slots, 0) AS kept FROM custody.retired WHERE segment_id = $1',
          noted?.id,
          noted?.slot,
        ),
      { timeout: 20_000 },
    )
    .toEqual([{ moved: 1, kept: 0 }]);
  const path = `/v1/galleries/${gallery}/subjects/${bob.subjectId}/templates/${broken?.id}`;
  expect((await client.delete(path)).status).toBe(204);
  expect(await rotated(gallery, id)).toMatchObject({ moved: 1, left: 0, segmentsDestroyed: 1 });
  expect(ok(await verify(client, gallery, bob.subjectId, embedding(2))).match).toBe(true);
  await worker.stop();
});

test('templates that are held move, too, and are destroyed when their time comes', async () => {
  const gallery = await createGallery(client);
  const { subjectId } = await enrolledPerson(client, gallery, embedding(1));
  const before = await sql('SELECT * FROM template WHERE gallery_id = $1', gallery);
  const [destruction] = await sql(
    `INSERT INTO destruction (id, client_id, subject_id, rule, jurisdiction, revision, since, due_at)
     SELECT gen_random_uuid(), g.client_id, $2, 'afterErasureRequest', p.jurisdiction, p.revision, now(), now() + interval '1 day'
     FROM gallery g, (SELECT jurisdiction, revision FROM jurisdiction_policy LIMIT 1) p WHERE g.id = $1 RETURNING id`,
    gallery,
    subjectId,
  );
  await sql(
    `WITH kept AS (DELETE FROM template WHERE gallery_id = $1 RETURNING *)
     INSERT INTO held_template (id, destruction_id, gallery_id, consent_id, segment_id, slot, "row", photos, created_at)
     SELECT id, $2, gallery_id, consent_id, segment_id, slot, "row", photos, created_at FROM kept`,
    gallery,
    destruction?.id,
  );
  const worker = await stack.startWorker();
  const { id } = ok(await client.post(rotations(gallery)));
  expect(await rotated(gallery, id)).toMatchObject({ rows: 1, moved: 1, segmentsDestroyed: 1 });
  const [held] = await sql('SELECT segment_id, "row" FROM held_template WHERE gallery_id = $1', gallery);
  expect(held?.segment_id).not.toBe(before[0]?.segment_id);
  expect(held?.row).not.toEqual(before[0]?.row);
  const [there] = await sql('SELECT count(*)::int AS n FROM custody.segment WHERE id = $1', held?.segment_id);
  expect(there).toEqual({ n: 1 });
  await worker.stop();
});

test('an enrolment that took its slot before and commits after the end is sealed anew, or the database refuses it', async () => {
  const gallery = await createGallery(client);
  const ada = await enrolledPerson(client, gallery, embedding(1));
  const [old] = await sql('SELECT segment_id FROM template WHERE gallery_id = $1', gallery);
  // Its transaction waits for the consent, with a slot that it has taken; the gallery's keys are replaced meanwhile.
  const bob = (await consentingPeople(client, 1))[0] ?? { subjectId: '', consentId: '' };
  const holder = await stack.owner.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM consent WHERE id = $1 FOR UPDATE', [bob.consentId]);
  const enrolling = enrol(client, gallery, bob.subjectId, embedding(2));
  const used = async (): Promise<number> =>
    (await sql('SELECT used FROM custody.segment WHERE id = $1', old?.segment_id))[0]?.used;
  await expect.poll(used, { timeout: 10_000, interval: 10 }).toBe(2);
  const worker = await stack.startWorker();
  const { id } = ok(await client.post(rotations(gallery)));
  await rotated(gallery, id);
  await holder.query('COMMIT');
  holder.release();
  ok(await enrolling);
  for (const [person, seed] of [
    [ada, 1],
    [bob, 2],
  ] as const) {
    expect(ok(await verify(client, gallery, person.subjectId, embedding(seed))).match).toBe(true);
    expect(ok(await identify(client, gallery, embedding(seed))).candidates).toHaveLength(1);
  }
  // What the version before would do: it knows of no rotation.
  await expect(
    sql('UPDATE template SET segment_id = $1 WHERE subject_id = $2', old?.segment_id, ada.subjectId),
  ).rejects.toThrow('the keys of this segment are destroyed');
  await worker.stop();
});

test.each(['are there still', 'are destroyed'])(
  'a search that read rows before they moved, and opens them when the old keys %s, answers as ever',
  async (keys) => {
    const gallery = await createGallery(client);
    const { subjectId } = await enrolledPerson(client, gallery, embedding(1));
    expect(ok(await identify(client, gallery, embedding(1))).candidates).toHaveLength(1);
    const [row, custody] = [await stack.owner.connect(), await stack.owner.connect()];
    await row.query('BEGIN');
    await row.query('SELECT FROM gallery WHERE id = $1 FOR UPDATE', [gallery]);
    const worker = await stack.startWorker();
    const { id } = ok(await client.post(rotations(gallery)));
    await expect.poll(() => waiting('UPDATE gallery SET version'), { timeout: 30_000, interval: 10 }).toBe(1);
    // The row is sealed anew and about to move. Searches of now find it where it was, and wait for the custodian.
    await custody.query('BEGIN; LOCK TABLE custody.key_set IN ACCESS EXCLUSIVE MODE');
    const searches = [
      verify(client, gallery, subjectId, embedding(1)),
      identify(client, gallery, embedding(1)),
    ];
    await expect.poll(() => waiting('SELECT mask_seed'), { timeout: 10_000, interval: 10 }).toBe(2);
    await row.query('COMMIT');
    const moved = 'SELECT moved FROM key_set_rotation WHERE id = $1';
    await expect.poll(() => sql(moved, id), { timeout: 10_000, interval: 10 }).toEqual([{ moved: 1 }]);
    // Through the same replica, which learns with it that the row is elsewhere.
    searches.push(identify(client, gallery, embedding(1)));
    await expect
      .poll(() => waiting('SELECT mask_seed'), { timeout: 10_000, interval: 10 })
      .toBeGreaterThan(2);
    if (keys === 'are destroyed') {
      await custody.query('UPDATE custody.key_set SET oldest = generation WHERE gallery_id = $1', [gallery]);
      await custody.query(
        `DELETE FROM custody.segment s USING custody.key_set k
         WHERE k.gallery_id = s.gallery_id AND s.gallery_id = $1 AND s.generation < k.generation`,
        [gallery],
      );
    }
    await custody.query('COMMIT');
    const [verified, ...identified] = (await Promise.all(searches)).map(ok);
    expect(verified).toEqual({ match: true });
    for (const { candidates } of identified) expect(candidates).toMatchObject([{ subjectId }]);
    await rotated(gallery, id);
    for (const connection of [row, custody]) connection.release();
    await worker.stop();
  },
  120_000,
);

/** How many statements that begin so wait for a lock. */
async function waiting(statement: string): Promise<number> {
  const [found] = await sql(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1 || '%'`,
    statement,
  );
  return found?.n;
}

test('rows stay where they are while a deduplication that was planned by segments goes on', async () => {
  const gallery = await createGallery(client);
  const ada = await enrolledPerson(client, gallery, embedding(1));
  const twin = await enrolledPerson(client, gallery, embedding(1));
  const job = ok(await client.post(`/v1/galleries/${gallery}/jobs?type=deduplicate`));
  const { id } = ok(await client.post(rotations(gallery)));
  expect(ok(await client.get(`${rotations(gallery)}/${id}`))).toMatchObject({
    state: 'requested',
    waitsFor: 'deduplication',
  });
  const worker = await stack.startWorker();
  await endedJob(client, job.id);
  const [group] = await results(client, job.id);
  const text = JSON.stringify(group);
  for (const { subjectId } of [ada, twin]) expect(text).toContain(subjectId);
  expect(await rotated(gallery, id)).toMatchObject({ moved: 2, left: 0 });
  await worker.stop();
});

test('a gallery that is destroyed meanwhile ends its rotation', async () => {
  const gallery = await createGallery(client);
  await enrolledPerson(client, gallery, embedding(1));
  const { id } = ok(await client.post(rotations(gallery)));
  ok(await client.delete(`/v1/galleries/${gallery}`));
  const worker = await stack.startWorker();
  await expect
    .poll(async () => ok(await client.get(`${rotations(gallery)}/${id}`)).state, { timeout: 30_000 })
    .toBe('gallery_destroyed');
  expect((await client.post(rotations(gallery))).status).toBe(404);
  expect(ok(await client.get(rotations(gallery))).items).toHaveLength(1);
  await worker.stop();
});
