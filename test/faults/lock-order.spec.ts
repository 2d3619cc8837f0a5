import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { velum } from '../harness/operator.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import {
  consentingPeople,
  createGallery,
  embedding,
  enrol,
  ok,
  type Person,
  PURPOSE,
} from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let other: TestClient;
let gallery: string;
/** Holds a row that all need in the end. */
let holder: Client;
let seed = 0;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2 });
  client = await TestClient.create(stack);
  other = client.at(stack.apis[1]?.url ?? '');
  gallery = await createGallery(client);
});

afterAll(() => stack.stop());

beforeEach(async () => {
  holder = new Client({ connectionString: stack.urls.owner });
  await holder.connect();
});

afterEach(() => holder.end());

async function hold(sql: string, ...values: readonly unknown[]): Promise<void> {
  await holder.query('BEGIN');
  await holder.query(sql, [...values]);
}

/** So many transactions of this database wait for a lock. */
async function waiting(expected: number): Promise<void> {
  const sql = `SELECT count(DISTINCT l.pid)::int AS n FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()`;
  await expect
    .poll(async () => (await stack.owner.query(sql)).rows[0].n, { timeout: 20_000, interval: 20 })
    .toBe(expected);
}

function askForRenewal(): Promise<Answer> {
  const renewBy = new Date(Date.now() + 3_600_000);
  return other.post('/v1/notices', { purpose: PURPOSE, language: 'en', title: 'T', text: 'More.', renewBy });
}

async function enrolled(people: readonly (Person | undefined)[]): Promise<void> {
  for (const person of people) ok(await enrol(client, gallery, person?.subjectId ?? '', embedding(++seed)));
}

/** In the order of their consents, which a notice that asks for renewal takes. */
async function twoPeople(): Promise<[Person, Person]> {
  const [first, second] = (await consentingPeople(client, 2)).toSorted((a, b) =>
    a.consentId < b.consentId ? -1 : 1,
  );
  if (first === undefined || second === undefined) throw new Error('two were asked for');
  return [first, second];
}

/** The person's data is due since they were away, and their consent is open. */
async function away({ subjectId, consentId }: Person): Promise<void> {
  for (const statement of [
    "UPDATE subject SET last_seen_at = last_seen_at - interval '4 years' WHERE id = $1",
    `UPDATE consent_fact SET at = at - interval '4 years' WHERE consent_id IN (SELECT id FROM consent WHERE subject_id = $1)`,
    "UPDATE template SET created_at = created_at - interval '4 years' WHERE subject_id = $1",
  ]) {
    await stack.owner.query(statement, [subjectId]);
  }
  await stack.owner.query(
    `INSERT INTO destruction (id, client_id, subject_id, consent_id, rule, jurisdiction, revision, since, due_at)
     SELECT gen_random_uuid(), client_id, id, $2, 'inactivity', jurisdiction, 1, now(), now() FROM subject WHERE id = $1`,
    [subjectId, consentId],
  );
}

test('an erasure, an enrolment and a notice that asks for renewal do not wait for one another for ever', async () => {
  const [erased, enrolling] = await twoPeople();
  await enrolled([erased, enrolling]);
  await hold('SELECT FROM gallery WHERE id = $1 FOR UPDATE', gallery);
  const answers = [client.delete(`/v1/subjects/${erased.subjectId}`)];
  await waiting(1);
  answers.push(enrol(client, gallery, enrolling.subjectId, embedding(++seed)));
  await waiting(2);
  answers.push(askForRenewal());
  await waiting(3);
  await holder.query('COMMIT');
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 201, 201]);
});

test('nor does the end of an inactivity with them', async () => {
  const [absent, enrolling] = await twoPeople();
  await enrolled([absent, enrolling]);
  await away(absent);
  await hold('SELECT FROM gallery WHERE id = $1 FOR UPDATE', gallery);
  const run = velum(stack.env, ['retention', 'run']);
  await waiting(1);
  const answers = [enrol(client, gallery, enrolling.subjectId, embedding(++seed))];
  await waiting(2);
  answers.push(askForRenewal());
  await waiting(3);
  await holder.query('COMMIT');
  expect(await run).toMatchObject({ code: 0, stderr: '' });
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 201]);
  expect(ok(await client.get(`/v1/consents/${absent.consentId}`)).state).toBe('expired');
});

test('nor does the end of an inactivity with an erasure from the same gallery', async () => {
  const [absent, erased] = await twoPeople();
  await enrolled([absent, erased]);
  await away(absent);
  await hold('SELECT FROM consent_version WHERE purpose = $1 FOR UPDATE', PURPOSE);
  const run = velum(stack.env, ['retention', 'run']);
  await waiting(1);
  const erasure = client.delete(`/v1/subjects/${erased.subjectId}`);
  await waiting(2);
  await holder.query('COMMIT');
  expect(await run).toMatchObject({ code: 0, stderr: '' });
  expect((await erasure).status).toBe(204);
});

test('whatever is done to the same people and their gallery at once, nothing fails', async () => {
  const people = await consentingPeople(client, 24);
  const at = [client, other];
  const answers = await Promise.all([
    ...people.map(({ subjectId }, i) => enrol(at[i % 2] ?? client, gallery, subjectId, embedding(++seed))),
    ...people.slice(0, 12).map(({ subjectId }) => client.delete(`/v1/subjects/${subjectId}`)),
    ...people.slice(12, 18).map(({ consentId }) => other.post(`/v1/consents/${consentId}/withdraw`)),
    ...people
      .slice(18)
      .map(({ subjectId }) =>
        client.post('/v1/rights-requests', { subjectId, kind: 'restriction', channel: 'app' }),
      ),
    ...Array.from({ length: 4 }, askForRenewal),
  ]);
  expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
});

test('an erasure by a job that waits for the custodian holds up nobody else of the gallery', async () => {
  const [erased] = await twoPeople();
  await enrolled([erased]);
  const worker = await stack.startWorker();
  await hold('LOCK custody.segment IN ACCESS EXCLUSIVE MODE');
  const job = ok(await startJob(client, gallery, 'erase', linesOf([{ subjectId: erased.subjectId }])));
  const asking = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE '%place.slot >= s.used%' AND pid <> pg_backend_pid()`;
  await expect
    .poll(async () => (await stack.owner.query(asking)).rowCount, { timeout: 20_000, interval: 20 })
    .toBe(1);
  await stack.owner.query('SELECT FROM gallery WHERE id = $1 FOR UPDATE NOWAIT', [gallery]);
  await holder.query('COMMIT');
  expect(await endedJob(client, job.id)).toMatchObject({ done: 1, failed: 0 });
  await worker.stop();
});
