import { RECURRING } from '#platform/queues';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { openCase, takeStep } from '../harness/rights.js';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  grantConsent,
  identify,
  ok,
  PURPOSE,
  verify,
} from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let here: TestClient;
/** The same client at another process. */
let there: TestClient;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2, worker: true });
  here = await TestClient.create(stack);
  there = here.at(stack.apis[1]?.url ?? '');
  gallery = await createGallery(here);
});

afterAll(() => stack.stop());

const ask = (subjectId: string, kind: string, more: object = {}): Promise<Json> =>
  openCase(here, subjectId, kind, more);
const decide = (caseId: string, step: string, body: object = {}): Promise<Json> =>
  takeStep(there, caseId, step, body);

const REFUSAL = { reason: 'legal_claims', article: 'GDPR Art. 21(1)' };

async function named(client: TestClient, face: number): Promise<string[]> {
  const { candidates } = ok(await identify(client, gallery, embedding(face)));
  return candidates.map((candidate: Json) => candidate.subjectId);
}

test('a restriction through one process counts at once on the other, for 1:1, 1:N and enrolment, and lifting it undoes it', async () => {
  const { subjectId, consentId } = await enrolledPerson(here, gallery, embedding(1));
  expect(await named(there, 1)).toEqual([subjectId]);
  const restriction = await ask(subjectId, 'restriction');
  for (const client of [there, here]) {
    expect((await verify(client, gallery, subjectId, embedding(1))).body.code).toBe('processing_restricted');
    expect(await named(client, 1)).toEqual([]);
    const refused = await enrol(client, gallery, subjectId, embedding(1));
    expect([refused.status, refused.body.code]).toEqual([403, 'processing_restricted']);
  }
  // Nothing has ended or is gone.
  expect(ok(await here.get(`/v1/consents/${consentId}`)).state).toBe('active');
  expect(ok(await here.get(`/v1/galleries/${gallery}/subjects/${subjectId}/templates`))).toHaveLength(1);
  expect(ok(await here.get(`/v1/subjects/${subjectId}`)).restrictedAt).not.toBeNull();

  await decide(restriction.id, 'fulfil');
  expect(await named(here, 1)).toEqual([]);
  await decide(restriction.id, 'lift');
  for (const client of [here, there]) {
    expect(ok(await verify(client, gallery, subjectId, embedding(1))).match).toBe(true);
    expect(await named(client, 1)).toEqual([subjectId]);
  }
  expect(ok(await here.get(`/v1/subjects/${subjectId}`)).restrictedAt).toBeNull();
});

test('bulk jobs neither enrol nor name somebody who is restricted', async () => {
  const { subjectId } = await enrolledPerson(here, gallery, embedding(2));
  const { subjectId: free } = await enrolledPerson(here, gallery, embedding(3));
  await ask(subjectId, 'restriction');
  const enrolment = ok(
    await startJob(
      here,
      gallery,
      'enrol',
      linesOf([
        { subjectId, embedding: embedding(2) },
        { subjectId: free, embedding: embedding(3) },
      ]),
    ),
  );
  await endedJob(here, enrolment.id);
  const enrolled = await results(here, enrolment.id);
  expect(enrolled.map(({ outcome, code }: Json) => [outcome, code])).toEqual([
    ['refused', 'processing_restricted'],
    ['done', undefined],
  ]);
  const search = ok(
    await startJob(
      here,
      gallery,
      'identify',
      linesOf([{ embedding: embedding(2) }, { embedding: embedding(3) }]),
    ),
  );
  await endedJob(here, search.id);
  const found = (await results(here, search.id)).map(({ candidates }: Json) =>
    candidates.map((candidate: Json) => candidate.subjectId),
  );
  expect(found).toEqual([[], [free]]);
});

test('a consent that is given while the processing is restricted counts once it is lifted, also one of the version before', async () => {
  const { id: subjectId } = ok(await here.post('/v1/subjects', {}));
  const restriction = await ask(subjectId, 'restriction');
  await grantConsent(here, subjectId);
  expect((await enrol(there, gallery, subjectId, embedding(4))).body.code).toBe('processing_restricted');
  // Which knows nothing of the column.
  await stack.owner.query(
    `INSERT INTO consent (id, client_id, subject_id, purpose, notice_id, version)
     SELECT gen_random_uuid(), client_id, subject_id, 'audit', notice_id, 1 FROM consent WHERE subject_id = $1`,
    [subjectId],
  );
  const { rows } = await stack.owner.query(
    'SELECT count(*)::int AS n FROM consent WHERE subject_id = $1 AND suspended_at IS NULL',
    [subjectId],
  );
  expect(rows[0].n).toBe(0);
  ok(await here.post(`/v1/rights-requests/${restriction.id}/withdraw`));
  ok(await enrol(there, gallery, subjectId, embedding(4)));
});

test('a consent that is withdrawn while the processing is restricted does not come back', async () => {
  const { subjectId, consentId } = await enrolledPerson(here, gallery, embedding(5));
  const restriction = await ask(subjectId, 'restriction');
  ok(await here.post(`/v1/consents/${consentId}/withdraw`));
  await decide(restriction.id, 'refuse', REFUSAL);
  expect((await verify(there, gallery, subjectId, embedding(5))).body.code).toBe('consent_required');
  expect(await named(here, 5)).toEqual([]);
});

test('what expires while the processing is restricted is kept, unsearchable, until the restriction is lifted', async () => {
  const { subjectId, consentId } = await enrolledPerson(here, gallery, embedding(7));
  const restriction = await ask(subjectId, 'restriction');
  await decide(restriction.id, 'fulfil');
  await stack.owner.query(`UPDATE consent SET expires_at = now() - interval '1 minute' WHERE id = $1`, [
    consentId,
  ]);
  const held = async (): Promise<number> => {
    const { rows } = await stack.owner.query(
      'SELECT count(*)::int AS n FROM held_template WHERE consent_id = $1',
      [consentId],
    );
    return rows[0].n;
  };
  await expect.poll(held, { timeout: 40_000 }).toBe(1);
  const due = ok(await here.get('/v1/admin/retention/due?before=2100-01-01T00:00:00Z'));
  expect(due.items.find((each: Json) => each.consentId === consentId)).toMatchObject({ onHold: true });
  await decide(restriction.id, 'lift');
  const retention = new Queue(RECURRING, { connection: { url: stack.redisUrl } });
  await retention.add('apply-retention', {});
  await retention.close();
  await expect.poll(held, { timeout: 20_000 }).toBe(0);
  expect((await verify(there, gallery, subjectId, embedding(7))).body.code).toBe('consent_required');
}, 90_000);

test('an objection restricts until it is decided: refused, the processing goes on; upheld, the consents for the purpose end', async () => {
  const { subjectId, consentId } = await enrolledPerson(here, gallery, embedding(6));
  const audit = await grantConsent(here, subjectId, 'audit');
  const first = await ask(subjectId, 'objection', { purpose: PURPOSE });
  expect(await named(there, 6)).toEqual([]);
  await decide(first.id, 'refuse', REFUSAL);
  expect(await named(there, 6)).toEqual([subjectId]);

  const second = await ask(subjectId, 'objection', { purpose: PURPOSE });
  await decide(second.id, 'fulfil');
  expect(ok(await here.get(`/v1/consents/${consentId}`)).state).toBe('withdrawn');
  expect(ok(await here.get(`/v1/consents/${audit}`)).state).toBe('active');
  expect(ok(await here.get(`/v1/subjects/${subjectId}`)).restrictedAt).toBeNull();
  expect(await named(there, 6)).toEqual([]);
  expect((await verify(here, gallery, subjectId, embedding(6))).body.code).toBe('consent_required');
});

test('of two requests that restrict, the one that is left restricts on', async () => {
  const { subjectId } = await enrolledPerson(here, gallery, embedding(7));
  const restriction = await ask(subjectId, 'restriction');
  const objection = await ask(subjectId, 'objection');
  await decide(objection.id, 'refuse', REFUSAL);
  expect(await named(there, 7)).toEqual([]);
  ok(await here.post(`/v1/rights-requests/${restriction.id}/withdraw`));
  expect(await named(there, 7)).toEqual([subjectId]);
});

test('under searches on both processes nobody is named by one that began after the restriction was answered', async () => {
  const { subjectId } = await enrolledPerson(here, gallery, embedding(8));
  let restricted = false;
  const wrong: string[] = [];
  let before = 0;
  async function search(client: TestClient): Promise<void> {
    const late = restricted;
    const found = (await named(client, 8)).includes(subjectId);
    if (found && late) wrong.push('named after the restriction');
    if (found && !late) before++;
  }
  for (let round = 0; round < 5; round++) {
    restricted = false;
    const running = [here, there, here, there].map(search);
    const { id } = await ask(subjectId, 'restriction');
    restricted = true;
    await Promise.all([...running, ...[here, there, here, there].map(search)]);
    ok(await there.post(`/v1/rights-requests/${id}/withdraw`));
    restricted = false;
    await Promise.all([here, there].map(search));
  }
  expect(wrong).toEqual([]);
  expect(before).toBeGreaterThanOrEqual(10);
});
