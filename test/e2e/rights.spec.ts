import { AuditLog } from '#audit/audit-log';
import { dataSourceOptions } from '#platform/data-source';
import { RECURRING } from '#platform/queues';
import { RemindCasesHandler } from '#rights/remind-cases';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Queue } from 'bullmq';
import { text } from 'node:stream/consumers';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { everythingSequenced } from '../harness/audit.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { openCase, takeStep } from '../harness/rights.js';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  grantConsent,
  identify,
  ok,
  PURPOSE,
  verify,
} from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';
import { WebhookReceiver } from '../harness/webhook-receiver.js';
import { createWebhook } from '../harness/webhooks.js';

const DAY_MS = 86_400_000;

let stack: Stack;
let client: TestClient;
let another: TestClient;
let officer: TestClient;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start({ worker: true, env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' } });
  // At once: a test that waits for a process loses its connections.
  const [own, others, admin] = [undefined, undefined, 'admin:compliance'].map((scopes) =>
    createCredentials(stack, scopes),
  );
  if (!own || !others || !admin) throw new Error('three clients');
  client = await TestClient.connect(stack.url, own);
  another = await TestClient.connect(stack.url, others);
  officer = await TestClient.connect(stack.url, admin);
  gallery = await createGallery(client);
});

afterAll(() => stack.stop());

async function register(body: object = {}): Promise<string> {
  return ok(await client.post('/v1/subjects', body)).id;
}

const ask = (subjectId: string, kind: string, more: object = {}): Promise<Json> =>
  openCase(client, subjectId, kind, more);
async function correctAge(subjectId: string, adultFrom: string | null, more: object = {}): Promise<Json> {
  return ok(await client.send('PATCH', `/v1/subjects/${subjectId}`, { adultFrom, ...more }));
}

async function agree(subjectId: string, purpose: string, more: object): Promise<string> {
  const noticeId = ok(await client.post('/v1/notices', { purpose, ...NOTICE })).id;
  const evidence = { ...EVIDENCE, ...more };
  return ok(await client.post('/v1/consents', { subjectId, purpose, noticeId, evidence })).id;
}

async function shown(consentId: string): Promise<Json> {
  return ok(await client.get(`/v1/consents/${consentId}`));
}

/** A file of an archive. */
async function unzipped(archive: Buffer, name: string): Promise<string> {
  const zip = await fromBufferPromise(archive);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName === name) return text(await zip.openReadStreamPromise(entry));
  }
  throw new Error(`no ${name} is in the archive`);
}

const step = (caseId: string, name: string, body: object = {}): Promise<Json> =>
  takeStep(officer, caseId, name, body);
const states = ({ transitions }: Json): string[] => transitions.map(({ state }: Json) => state);

test('a request is due when the law of the person says, counted from when they asked', async () => {
  const european = await ask(await register(), 'access', { receivedAt: '2026-01-31T10:00:00.000Z' });
  expect(european).toMatchObject({ jurisdiction: 'EU-GDPR', policyRevision: 1, overdue: true });
  expect(european.dueAt).toBe('2026-02-28T10:00:00.000Z');
  const indian = await ask(await register({ jurisdiction: 'IN-DPDP' }), 'grievance', {
    receivedAt: '2026-01-31T10:00:00.000Z',
    text: 'Nobody answers.',
  });
  expect(indian.dueAt).toBe('2026-05-01T10:00:00.000Z');
  expect(ok(await client.get(`/v1/rights-requests/${indian.id}`)).text).toBe('Nobody answers.');
  const future = { receivedAt: new Date(Date.now() + DAY_MS).toISOString() };
  const early = { subjectId: await register(), kind: 'access', channel: 'app', ...future };
  expect((await client.post('/v1/rights-requests', early)).status).toBe(400);
});

test('a right that the jurisdiction does not have is refused, with the member of the policy that is missing', async () => {
  const subjectId = await register({ jurisdiction: 'IN-DPDP' });
  const refused = await client.post('/v1/rights-requests', {
    subjectId,
    kind: 'restriction',
    channel: 'app',
  });
  expect([refused.status, refused.body.code]).toEqual([422, 'right_not_provided']);
  expect(refused.body.errors.map(({ field }: Json) => field)).toEqual(['rights.restriction']);
  const { rows } = await stack.owner.query(
    `SELECT details FROM audit_event WHERE type = 'case.opened' AND code = 'right_not_provided'`,
  );
  expect(rows).toEqual([{ details: { kind: 'restriction' } }]);
});

test('a jurisdiction that is put into the table gives its own rights and times, without code', async () => {
  const { rows } = await stack.owner.query(
    `SELECT document FROM jurisdiction_policy WHERE jurisdiction = 'EU-GDPR'`,
  );
  const document = { ...rows[0].document, code: 'XX-TEST' };
  document.rights = { nomination: { value: { due: 'P3D', extension: null }, source: 'Art. 1' } };
  await stack.owner.query('INSERT INTO jurisdiction_policy VALUES ($1, 1, $2)', ['XX-TEST', document]);
  const subjectId = await register({ jurisdiction: 'XX-TEST' });
  const { openedAt, dueAt } = await ask(subjectId, 'nomination');
  expect(Date.parse(dueAt) - Date.parse(openedAt)).toBe(3 * DAY_MS);
  const refused = await client.post('/v1/rights-requests', { subjectId, kind: 'access', channel: 'app' });
  expect(refused.body.code).toBe('right_not_provided');
});

test('each step of a case is kept with who took it, and what cannot follow is refused', async () => {
  const subjectId = await register();
  const { id } = await ask(subjectId, 'access');
  await step(id, 'check-identity');
  const early = await officer.post(`/v1/admin/cases/${id}/fulfil`, {});
  expect([early.status, early.body.code]).toEqual([409, 'case_step_impossible']);
  await step(id, 'take-up');
  const extended = await step(id, 'extend', { reason: 'complexity' });
  expect(extended.dueAt).not.toBe(extended.transitions[0].dueAt);
  const again = await officer.post(`/v1/admin/cases/${id}/extend`, { reason: 'complexity' });
  expect(again.body.code).toBe('case_step_impossible');
  const over = await step(id, 'fulfil', { answer: 'Here it is.' });
  expect(states(over)).toEqual(['open', 'identity_check', 'in_progress', 'extended', 'fulfilled']);
  const [opened, ...others] = over.transitions.map(({ clientId }: Json) => clientId);
  expect(opened).toBe(over.clientId);
  expect(new Set(others).size).toBe(1);
  expect(others[0]).not.toBe(opened);
  expect(ok(await client.get(`/v1/rights-requests/${id}`)).answer).toBe('Here it is.');
  expect((await client.post(`/v1/rights-requests/${id}/withdraw`)).body.code).toBe('case_step_impossible');
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM audit_event WHERE type = 'case.advanced' AND outcome = 'ok' AND details->>'caseId' = $1`,
    [id],
  );
  expect(rows[0].n).toBe(4);
});

test('a case is extended where the policy has an extension, and not once it is due', async () => {
  const indian = await ask(await register({ jurisdiction: 'IN-DPDP' }), 'access');
  const none = await officer.post(`/v1/admin/cases/${indian.id}/extend`, { reason: 'complexity' });
  expect([none.status, none.body.code]).toEqual([422, 'extension_not_provided']);
  const late = await ask(await register(), 'access', { receivedAt: '2026-01-01T00:00:00.000Z' });
  const refused = await officer.post(`/v1/admin/cases/${late.id}/extend`, { reason: 'complexity' });
  expect([refused.status, refused.body.code]).toEqual([409, 'extension_too_late']);
});

test('a refusal has a reason and an article', async () => {
  const { id } = await ask(await register(), 'erasure');
  expect((await officer.post(`/v1/admin/cases/${id}/refuse`, { reason: 'excessive' })).status).toBe(400);
  const refusal = { reason: 'legal_claims', article: 'GDPR Art. 17(3)(e)', answer: 'A claim is pending.' };
  const { transitions, state, answer } = await step(id, 'refuse', refusal);
  expect([state, answer]).toEqual(['refused', 'A claim is pending.']);
  expect(transitions.at(-1)).toMatchObject({ reason: 'legal_claims', article: 'GDPR Art. 17(3)(e)' });
});

test('officers find what is overdue, by kind, state, jurisdiction and date', async () => {
  const receivedAt = '2026-01-01T00:00:00.000Z';
  const late = await ask(await register(), 'portability', { receivedAt });
  const decided = await ask(await register(), 'portability', { receivedAt });
  const open = await ask(await register(), 'portability');
  await step(decided.id, 'fulfil');
  const list = async (query: string): Promise<string[]> => {
    const { items } = ok(await officer.get(`/v1/admin/cases?kind=portability&${query}`));
    return items.map(({ id }: Json) => id);
  };
  expect(await list('overdue=true')).toEqual([late.id]);
  expect(await list('overdue=false')).toEqual([decided.id, open.id]);
  expect(await list('state=fulfilled')).toEqual([decided.id]);
  expect(await list('dueBefore=2026-06-01T00:00:00Z')).toEqual([late.id, decided.id]);
  expect(await list('jurisdiction=IN-DPDP')).toEqual([]);
  const first = ok(await officer.get('/v1/admin/cases?kind=portability&limit=2'));
  expect(first.items.map(({ id }: Json) => id)).toEqual([late.id, decided.id]);
  expect(await list(`cursor=${first.nextCursor}`)).toEqual([open.id]);
});

test('the client app is told once that a case is due in a week, in a day, and overdue', async () => {
  const receiver = await WebhookReceiver.start();
  await createWebhook(another, receiver.url);
  const subjectId = ok(await another.post('/v1/subjects', {})).id;
  const body = { subjectId, kind: 'access', channel: 'letter' };
  const { id } = ok(await another.post('/v1/rights-requests', body));
  const queue = new Queue(RECURRING, { connection: { url: stack.redisUrl } });
  const told = (): string[] =>
    receiver.received
      .filter(({ body: sent }) => sent.type === 'case.due')
      .map(({ body: sent }) => sent.data.reminder);
  for (const [left, wanted] of [
    ['6 days', ['due_in_7_days']],
    ['20 hours', ['due_in_7_days', 'due_in_1_day']],
    ['-1 hour', ['due_in_7_days', 'due_in_1_day', 'overdue']],
  ] as const) {
    await stack.owner.query('UPDATE rights_case SET due_at = now() + $2::interval WHERE id = $1', [id, left]);
    await queue.add('remind-cases', {}, { removeOnComplete: true });
    await expect.poll(told, { timeout: 20_000, interval: 50 }).toEqual(wanted);
  }
  const { rows } = await stack.owner.query(
    `SELECT details->>'reminder' AS reminder FROM audit_event WHERE type = 'case.due' AND details->>'caseId' = $1 ORDER BY id`,
    [id],
  );
  expect(rows.map(({ reminder }) => reminder)).toEqual(['due_in_7_days', 'due_in_1_day', 'overdue']);
  await queue.close();
  await receiver.stop();
});

test('several workers at once tell of each case once', async () => {
  const cases = await Promise.all(
    Array.from({ length: 30 }, async () =>
      ask(await register(), 'access', { receivedAt: '2026-02-01T00:00:00.000Z' }),
    ),
  );
  const db = await new DataSource(dataSourceOptions(stack.urls.worker, 'reminders')).initialize();
  const remind = (): Promise<number> =>
    new RemindCasesHandler(db, new AuditLog(db), new WebhookOutbox()).execute();
  await Promise.all([remind(), remind(), remind(), remind()]);
  await db.destroy();
  const { rows } = await stack.owner.query(
    `SELECT details->>'caseId' AS id, count(*)::int AS n FROM audit_event
     WHERE type = 'case.due' AND details->>'caseId' = ANY($1) GROUP BY 1`,
    [cases.map(({ id }) => id)],
  );
  expect(rows.map(({ n }) => n)).toEqual(cases.map(() => 1));
});

test('the export has every table that holds something about the person, the reference and the free text in the clear', async () => {
  const subjectId = await register({ reference: 'staff-0815', jurisdiction: 'IN-DPDP' });
  const consentId = await grantConsent(client, subjectId);
  const first = ok(await client.get(`/v1/consents/${consentId}`)).noticeId;
  const second = ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE })).id;
  const renewal = { noticeId: second, evidence: EVIDENCE };
  ok(await client.post(`/v1/consents/${consentId}/renew`, renewal));
  ok(await enrol(client, gallery, subjectId, embedding(21)));
  const nominee = { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' };
  ok(await client.send('PUT', `/v1/subjects/${subjectId}/nominee`, nominee));
  const { id } = await ask(subjectId, 'access', { text: 'What do you hold?' });
  const job = ok(
    await startJob(client, gallery, 'enrol', linesOf([{ subjectId, embedding: embedding(22) }])),
  );
  await endedJob(client, job.id);
  await everythingSequenced(stack);
  const exported = ok(await client.get(`/v1/rights-requests/${id}/export`));
  const section = (name: string): Json[] =>
    exported.sections.find((each: Json) => each.name === name)?.rows ?? [];
  expect(exported.format).toBe('velum-subject-export/1');
  expect(section('subject')).toMatchObject([{ reference: 'staff-0815', jurisdiction: 'IN-DPDP' }]);
  expect(section('consents')).toMatchObject([{ purpose: 'access_control' }]);
  expect(section('consentFacts')).toMatchObject([{ kind: 'granted' }, { kind: 'renewed' }]);
  // What was agreed to first is told, though another text counts by now.
  const { items } = NOTICE;
  expect(section('notices')).toMatchObject([
    { id: first, items },
    { id: second, items },
  ]);
  expect(section('galleries')).toMatchObject([{ id: gallery }]);
  expect(section('cases')).toMatchObject([{ id, request: 'What do you hold?' }]);
  expect(section('nominee')).toMatchObject([nominee]);
  const template = { galleryId: gallery, photos: 0 };
  expect(section('templates')).toMatchObject([template, template]);
  expect(section('jobItems')).toMatchObject([{ jobId: job.id, n: 1, state: 'done' }]);
  // Neither a row nor a place of it.
  expect(Object.keys(section('templates')[0])).not.toEqual(expect.arrayContaining(['row']));
  expect(exported.audit[0].entries.map(({ event }: Json) => event.type)).toEqual(
    expect.arrayContaining(['subject.registered', 'consent.granted', 'template.enrolled', 'case.opened']),
  );
  const zip = await client.get(`/v1/subjects/${subjectId}/export?format=zip`);
  expect([zip.status, zip.headers.get('content-type')]).toEqual([200, 'application/zip']);
  ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  await expect
    .poll(
      async () => {
        const { rows } = await stack.owner.query('SELECT FROM held_template WHERE consent_id = $1', [
          consentId,
        ]);
        return rows.length;
      },
      { timeout: 30_000 },
    )
    .toBe(2);
  const later = ok(await client.get(`/v1/subjects/${subjectId}/export`));
  const names = later.sections.filter(({ rows }: Json) => rows.length > 0).map(({ name }: Json) => name);
  expect(names).toContain('heldTemplates');
  // The gallery of what is held is told, too.
  expect(names).toContain('galleries');
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM audit_event WHERE type = 'subject.exported' AND subject_id = $1`,
    [subjectId],
  );
  expect(rows[0].n).toBe(3);

  // Whoever adds a table about persons adds it to the export, or says here where it is.
  const elsewhere = ['audit_event', 'erasure_journal'];
  const { rows: tables } = await stack.owner.query(
    `SELECT DISTINCT c.table_name AS name FROM information_schema.columns c JOIN pg_tables t
       ON t.schemaname = c.table_schema AND t.tablename = c.table_name
     WHERE c.table_schema = 'public' AND c.column_name IN ('subject_id', 'consent_id', 'case_id')`,
  );
  const sources = exported.sections.map(({ source }: Json) => source);
  expect(
    tables.map(({ name }) => name).filter((name) => !sources.includes(name) && !elsewhere.includes(name)),
  ).toEqual([]);
});

test('an export of thousands of entries comes part by part, and is whole in either format', async () => {
  const subjectId = await register();
  const entries = 2_100;
  await stack.owner.query(
    `INSERT INTO audit_event (id, at, type, outcome, client_id, subject_id, details)
     SELECT gen_random_uuid(), now(), 'subject.verified', 'match', e.client_id, e.subject_id, '{}'
     FROM audit_event e, generate_series(1, $2) WHERE e.subject_id = $1 AND e.type = 'subject.registered'`,
    [subjectId, entries],
  );
  await everythingSequenced(stack);
  const path = `/v1/subjects/${subjectId}/export`;
  const answer = await client.get(path);
  // Its length is not known when it begins.
  expect(answer.headers.get('content-length')).toBeNull();
  const exported = ok(answer);
  const sizes = exported.audit.map((bundle: Json) => bundle.entries.length);
  expect(sizes).toEqual([1_000, 1_000, expect.any(Number)]);
  expect(sizes[2]).toBeGreaterThanOrEqual(101);
  const leaves = exported.audit.flatMap((bundle: Json) =>
    bundle.entries.map(({ leafIndex }: Json) => leafIndex),
  );
  expect(new Set(leaves).size).toBe(leaves.length);
  expect(exported.audit.map(({ nextLeaf }: Json) => nextLeaf)).toEqual([leaves[1_000], leaves[2_000], null]);
  const headers = { authorization: `Bearer ${client.token}` };
  const zip = await fetch(`${stack.url}${path}?format=zip`, { headers });
  const archived: Json = JSON.parse(await unzipped(Buffer.from(await zip.arrayBuffer()), 'export.json'));
  expect(archived.sections).toEqual(exported.sections);
  expect(archived.audit.map((bundle: Json) => bundle.entries.length)).toEqual([
    1_000,
    1_000,
    // That the first was handed out is an entry, too.
    expect.any(Number),
  ]);
});

test('what the person wrote, and whom they nominated, is nowhere in the clear', async () => {
  const subjectId = await register();
  const secret = 'my neighbour saw me';
  const { id } = await ask(subjectId, 'grievance', { text: secret });
  await step(id, 'fulfil', { answer: secret });
  const nominee = { name: secret, contact: secret, relationship: 'friend' };
  ok(await client.send('PUT', `/v1/subjects/${subjectId}/nominee`, nominee));
  for (const table of [
    'rights_case',
    'case_transition',
    'nominee',
    'audit_event',
    'webhook_delivery',
    'outbox',
  ]) {
    const { rows } = await stack.owner.query(
      `SELECT count(*)::int AS n FROM ${table} t WHERE strpos(t::text, $1) + strpos(t::text, encode($1::bytea, 'hex')) > 0`,
      [secret],
    );
    expect([table, rows[0].n]).toEqual([table, 0]);
  }
  expect(stack.log).not.toContain(secret);
});

test('a correction closes its case, and what was wrong is kept nowhere', async () => {
  const subjectId = await register({ reference: 'wrong-name' });
  await register({ reference: 'taken' });
  const { id } = await ask(subjectId, 'correction');
  const correct = (body: object) => client.send('PATCH', `/v1/subjects/${subjectId}`, body);
  expect((await correct({})).status).toBe(400);
  expect((await correct({ reference: 'taken', caseId: id })).body.code).toBe('subject_reference_taken');
  expect((await correct({ jurisdiction: 'ZZ-NONE' })).body.code).toBe('jurisdiction_unknown');
  const other = await ask(await register(), 'correction');
  expect((await correct({ reference: 'right', caseId: other.id })).body.code).toBe('case_of_another_kind');
  expect(ok(await correct({ reference: 'right-name', caseId: id })).reference).toBe('right-name');
  expect(ok(await client.get(`/v1/rights-requests/${id}`)).state).toBe('fulfilled');
  expect(ok(await client.get('/v1/subjects?reference=wrong-name')).items).toEqual([]);
  expect(ok(await client.get('/v1/subjects?reference=right-name')).items).toHaveLength(1);
});

test('a jurisdiction is not corrected while something rests on it: no consent is kept that the other law does not know', async () => {
  const subjectId = await register({ jurisdiction: 'IN-DPDP' });
  const correct = (jurisdiction: string) =>
    client.send('PATCH', `/v1/subjects/${subjectId}`, { jurisdiction });
  expect(ok(await correct('US-IL-BIPA')).jurisdiction).toBe('US-IL-BIPA');
  expect(ok(await correct('IN-DPDP')).jurisdiction).toBe('IN-DPDP');
  const consentId = await grantConsent(client, subjectId);
  ok(await enrol(client, gallery, subjectId, embedding(29)));
  expect((await correct('EU-GDPR')).body.code).toBe('jurisdiction_in_use');
  expect(ok(await correct('IN-DPDP')).jurisdiction).toBe('IN-DPDP');
  // Withdrawn and held for a year: an erasure under the other law would destroy it at once.
  ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  expect((await correct('EU-GDPR')).body.code).toBe('jurisdiction_in_use');
});

describe('the day of coming of age', () => {
  const inTenYears = new Date(Date.now() + 3_650 * DAY_MS).toISOString().slice(0, 10);
  const inAYear = new Date(Date.now() + 365 * DAY_MS).toISOString().slice(0, 10);
  const guardian = { relationship: 'parent', verifiedBy: 'identity_document' };

  test('is corrected: whom nobody consented for as a minor is matched no more, and the answer says so', async () => {
    const subjectId = await register({ jurisdiction: 'IN-DPDP' });
    const own = await grantConsent(client, subjectId);
    const guarded = await agree(subjectId, 'visits', { guardian });
    const unverified = await agree(subjectId, 'lockers', { guardian: { relationship: 'parent' } });
    ok(await enrol(client, gallery, subjectId, embedding(61)));
    const { id } = await ask(subjectId, 'correction');
    const corrected = await correctAge(subjectId, inTenYears, { caseId: id });
    expect(corrected).toMatchObject({ id: subjectId, adultFrom: inTenYears });
    expect(corrected.endedConsents.toSorted()).toEqual([own, unverified].toSorted());
    expect(ok(await client.get(`/v1/rights-requests/${id}`)).state).toBe('fulfilled');
    expect((await verify(client, gallery, subjectId, embedding(61))).body.code).toBe('consent_required');
    expect(ok(await identify(client, gallery, embedding(61))).candidates).toEqual([]);
    expect((await shown(own)).state).toBe('expired');
    expect(await shown(guarded)).toMatchObject({
      state: 'active',
      expiresAt: `${inTenYears}T00:00:00.000Z`,
    });
    // A guardian can consent now.
    await agree(subjectId, PURPOSE, { guardian });
    const sooner = await correctAge(subjectId, inAYear);
    expect(sooner.endedConsents).toEqual([]);
    expect((await shown(guarded)).expiresAt).toBe(`${inAYear}T00:00:00.000Z`);
    // The day itself is in no entry.
    const { rows } = await stack.owner.query(
      `SELECT details FROM audit_event WHERE type = 'subject.corrected' AND subject_id = $1 ORDER BY id`,
      [subjectId],
    );
    const nothingElse = { reference: false, jurisdiction: false, adultFrom: true };
    expect(rows.map(({ details }) => details)).toEqual([
      { ...nothingElse, endedConsents: 2 },
      { ...nothingElse, endedConsents: 0 },
    ]);
  });

  test('of who is no minor after all ends what a guardian gave, and is a day that there is', async () => {
    const subjectId = await register({ adultFrom: inTenYears });
    const consentId = await agree(subjectId, PURPOSE, { guardian });
    expect(await correctAge(subjectId, null)).toMatchObject({ adultFrom: null, endedConsents: [consentId] });
    expect((await shown(consentId)).state).toBe('expired');
    const own = await grantConsent(client, subjectId);
    expect((await correctAge(subjectId, '2020-02-29')).endedConsents).toEqual([]);
    expect((await shown(own)).expiresAt).toBeNull();
    for (const body of [{ adultFrom: '2031-02-29' }, { adultFrom: 18 }, { reference: null }]) {
      expect((await client.send('PATCH', `/v1/subjects/${subjectId}`, body)).status).toBe(400);
    }
  });
});

test('a nominee can be changed and removed', async () => {
  const subjectId = await register({ jurisdiction: 'IN-DPDP' });
  const path = `/v1/subjects/${subjectId}/nominee`;
  expect((await client.get(path)).body.code).toBe('nominee_not_found');
  const nominee = { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' };
  ok(await client.send('PUT', path, nominee));
  const changed = ok(await client.send('PUT', path, { ...nominee, name: 'Ravi Rao', relationship: 'child' }));
  expect(changed).toMatchObject({ name: 'Ravi Rao', relationship: 'child' });
  ok(await client.delete(path));
  expect((await client.delete(path)).body.code).toBe('nominee_not_found');
});

test('a nomination is not granted without a nominee, and closed by the call that records one', async () => {
  const subjectId = await register({ jurisdiction: 'IN-DPDP' });
  const path = `/v1/subjects/${subjectId}/nominee`;
  const { id } = await ask(subjectId, 'nomination');
  const early = await officer.post(`/v1/admin/cases/${id}/fulfil`, {});
  expect([early.status, early.body.code]).toEqual([409, 'nominee_required']);
  const nominee = { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' };
  const other = await ask(subjectId, 'grievance');
  const wrong = await client.send('PUT', path, { ...nominee, caseId: other.id });
  expect(wrong.body.code).toBe('case_of_another_kind');
  expect((await client.get(path)).body.code).toBe('nominee_not_found');
  const recorded = ok(await client.send('PUT', path, { ...nominee, caseId: id }));
  expect(recorded).toEqual({ ...nominee, recordedAt: expect.any(String) });
  expect(ok(await client.get(`/v1/rights-requests/${id}`)).state).toBe('fulfilled');
  const again = await ask(subjectId, 'nomination');
  expect((await step(again.id, 'fulfil')).state).toBe('fulfilled');
});

test('an export is on record when somebody got it, and not when only its head was asked for', async () => {
  const subjectId = await register();
  const { id } = await ask(subjectId, 'access');
  const exported = async (): Promise<number> =>
    (
      await stack.owner.query("SELECT FROM audit_event WHERE type = 'subject.exported' AND subject_id = $1", [
        subjectId,
      ])
    ).rowCount ?? 0;
  const paths = [`/v1/subjects/${subjectId}/export`, `/v1/rights-requests/${id}/export?format=zip`];
  for (const path of paths) expect(await client.send('HEAD', path)).toMatchObject({ status: 200, body: '' });
  expect(await exported()).toBe(0);
  for (const path of paths) expect((await client.get(path)).status).toBe(200);
  expect(await exported()).toBe(2);
});

test('an export waits for whoever changes the person at that moment, and has the change', async () => {
  const subjectId = await register();
  await stack.owner.query('BEGIN');
  await stack.owner.query(`UPDATE subject SET last_seen_at = '2026-01-01T00:00:00Z' WHERE id = $1`, [
    subjectId,
  ]);
  const exported = client.get(`/v1/subjects/${subjectId}/export`);
  const waiting = `SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid`;
  await expect.poll(async () => (await stack.owner.query(waiting)).rowCount, { timeout: 10_000 }).toBe(1);
  await stack.owner.query('COMMIT');
  expect(JSON.stringify(ok(await exported).sections)).toContain('2026-01-01T00:00:00');
});
