import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyStatement } from '../../libs/statements/verifier/verify-statement.mjs';
import { everythingSequenced } from '../harness/audit.js';
import { velum } from '../harness/operator.js';
import { openCase, takeStep } from '../harness/rights.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let officer: TestClient;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  officer = await TestClient.create(stack, 'admin:compliance');
  gallery = await createGallery(client);
});

afterAll(() => stack.stop());

async function register(body: object = {}): Promise<string> {
  return ok(await client.post('/v1/subjects', body)).id;
}

const ask = (subjectId: string, kind: string, more: object = {}): Promise<Json> =>
  openCase(client, subjectId, kind, more);
const step = (caseId: string, name: string, body: object = {}): Promise<Json> =>
  takeStep(officer, caseId, name, body);

test('whoever erases a person, and knows nothing of cases, leaves no text and no nominee behind', async () => {
  const subjectId = await register({ jurisdiction: 'IN-DPDP' });
  const { id } = await ask(subjectId, 'grievance', { text: 'Nobody answers.' });
  const nominee = { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' };
  ok(await client.send('PUT', `/v1/subjects/${subjectId}/nominee`, nominee));
  const left = async (): Promise<Json> =>
    (
      await stack.owner.query(
        `SELECT (SELECT count(*)::int FROM nominee WHERE subject_id = $1) AS nominees,
                (SELECT request IS NOT NULL FROM rights_case WHERE id = $2) AS text`,
        [subjectId, id],
      )
    ).rows[0];
  const asTheVersionBefore = async (change: string): Promise<void> => {
    await stack.owner.query(`UPDATE subject SET ${change} WHERE id = $1`, [subjectId]);
  };
  // While data is held there is more than the reference.
  await stack.owner.query(
    `INSERT INTO destruction (id, client_id, subject_id, rule, jurisdiction, revision, since, due_at)
     SELECT gen_random_uuid(), client_id, id, 'afterErasureRequest', jurisdiction, 1, now(), now() + interval '1 year'
     FROM subject WHERE id = $1`,
    [subjectId],
  );
  await asTheVersionBefore('erased_at = now(), reference_index = NULL');
  expect(await left()).toEqual({ nominees: 1, text: true });
  await stack.owner.query('DELETE FROM destruction WHERE subject_id = $1', [subjectId]);
  await asTheVersionBefore('reference = NULL');
  expect(await left()).toEqual({ nominees: 0, text: false });
});

test('a request for erasure that is granted erases, and a signed proof outlives the person', async () => {
  const { subjectId } = await enrolledPerson(client, gallery, embedding(31));
  const { id } = await ask(subjectId, 'erasure', { text: 'Please forget me, says Ada.' });
  const grievance = await ask(subjectId, 'grievance', { text: 'Ada complains.' });
  ok(
    await client.send('PUT', `/v1/subjects/${subjectId}/nominee`, {
      name: 'Ada',
      contact: 'x',
      relationship: 'friend',
    }),
  );
  expect((await client.get(`/v1/rights-requests/${id}/proof`)).body.code).toBe('erasure_not_finished');
  expect((await step(id, 'fulfil')).state).toBe('fulfilled');
  expect((await client.get(`/v1/subjects/${subjectId}`)).status).toBe(404);
  expect(ok(await identify(client, gallery, embedding(31))).candidates).toEqual([]);
  expect(ok(await client.get(`/v1/rights-requests/${id}`))).toMatchObject({ text: null, answer: null });
  expect(ok(await client.get(`/v1/rights-requests/${grievance.id}`)).text).toBeNull();
  // Nor can anything be written about who is gone; the case is closed without.
  const late = await officer.post(`/v1/admin/cases/${grievance.id}/fulfil`, { answer: 'Ada was right.' });
  expect(late.body.code).toBe('subject_not_found');
  await step(grievance.id, 'fulfil');
  const { rows } = await stack.owner.query(
    `SELECT (SELECT count(*)::int FROM nominee WHERE subject_id = $1) AS nominees,
            (SELECT array_agg(type) FROM audit_event WHERE subject_id = $1) AS entries`,
    [subjectId],
  );
  expect(rows[0]).toEqual({ nominees: 0, entries: ['subject.erased'] });

  await everythingSequenced(stack);
  const { proof } = ok(await client.get(`/v1/rights-requests/${id}/proof`));
  const jwks = await (await fetch(`${stack.url}/.well-known/jwks.json`)).json();
  const { payload } = verifyStatement(proof, jwks, { typ: 'erasure-proof+jwt' });
  expect(payload).toMatchObject({
    sub: subjectId,
    caseId: id,
    erased: { templates: 1, pads: 1, consents: 1 },
    policy: { jurisdiction: 'EU-GDPR', revision: 1, rule: 'rights.erasure' },
    audit: { checkpoint: expect.stringContaining('\n'), leafIndex: expect.any(Number) },
  });
  const [head, body, signature] = proof.split('.');
  const forged = Buffer.from(JSON.stringify({ ...payload, sub: id })).toString('base64url');
  expect(() => verifyStatement(`${head}.${forged}.${signature}`, jwks)).toThrow();
  expect(body).not.toBe(forged);
});

test('whoever is erased by another call has the proof, too, and granting the case afterwards is no error', async () => {
  const subjectId = await register();
  const { id } = await ask(subjectId, 'erasure');
  ok(await client.delete(`/v1/subjects/${subjectId}`));
  expect((await step(id, 'fulfil')).state).toBe('fulfilled');
  const { proof } = ok(await client.get(`/v1/rights-requests/${id}/proof`));
  expect(proof.split('.')).toHaveLength(3);
  const access = await ask(await register(), 'access');
  expect((await client.get(`/v1/rights-requests/${access.id}/proof`)).body.code).toBe('case_of_another_kind');
});

test('what the law keeps for a time after the request is not called erased until it is', async () => {
  const subjectId = await register();
  const { id, clientId } = await ask(subjectId, 'erasure');
  await stack.owner.query(
    `INSERT INTO audit_event (id, type, outcome, client_id, subject_id, details)
     VALUES (gen_random_uuid(), 'subject.erased', 'ok', $1, $2, '{"templates": 0, "consents": 0}')`,
    [clientId, subjectId],
  );
  const refused = await client.get(`/v1/rights-requests/${id}/proof`);
  expect([refused.status, refused.body.code]).toEqual([409, 'erasure_not_finished']);
});

test('while a hold keeps the data the texts of cases stay, and the proof says when all of it was destroyed', async () => {
  const { subjectId, consentId } = await enrolledPerson(client, gallery, embedding(33));
  const { id } = await ask(subjectId, 'erasure', { text: 'Please forget me.' });
  const hold = ok(await officer.post('/v1/admin/holds', { subjectId, reason: 'litigation' })).id;
  ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  const held = async (): Promise<number> =>
    (await stack.owner.query('SELECT FROM held_template WHERE consent_id = $1', [consentId])).rowCount ?? 0;
  await expect.poll(held, { timeout: 20_000, interval: 50 }).toBe(1);
  await step(id, 'fulfil');
  expect(ok(await officer.get(`/v1/admin/cases/${id}`)).text).toBe('Please forget me.');
  // What is held is no client's to read.
  expect(ok(await client.get(`/v1/rights-requests/${id}`))).toMatchObject({ state: 'fulfilled', text: null });
  const listed = ok(await client.get(`/v1/rights-requests?subjectId=${subjectId}`)).items;
  expect(listed).toMatchObject([{ id, text: null, answer: null }]);
  expect((await client.get(`/v1/rights-requests/${id}/proof`)).body.code).toBe('erasure_not_finished');
  const released = Date.now();
  ok(await officer.delete(`/v1/admin/holds/${hold}`));
  expect(await velum(stack.env, ['retention', 'run'])).toMatchObject({ code: 0 });
  expect(ok(await officer.get(`/v1/admin/cases/${id}`)).text).toBeNull();
  const { proof } = ok(await client.get(`/v1/rights-requests/${id}/proof`));
  const jwks = await (await fetch(`${stack.url}/.well-known/jwks.json`)).json();
  const { payload }: Json = verifyStatement(proof, jwks, { typ: 'erasure-proof+jwt' });
  expect(payload.erased).toEqual({ templates: 1, pads: 1, consents: 0 });
  expect(Date.parse(payload.erasedAt)).toBeGreaterThanOrEqual(released);
  expect(Date.parse(payload.requestedAt)).toBeLessThan(released);
});

test('an erasure that was granted by a process that died then is carried out by a worker', async () => {
  const { subjectId } = await enrolledPerson(client, gallery, embedding(32));
  const { id, clientId } = await ask(subjectId, 'erasure');
  // What the transaction that grants it leaves behind.
  await stack.owner.query(`UPDATE rights_case SET state = 'fulfilled' WHERE id = $1`, [id]);
  await stack.owner.query(
    `INSERT INTO outbox (id, type, payload) VALUES (gen_random_uuid(), 'erasure.granted', $1)`,
    [{ clientId, subjectId }],
  );
  await expect
    .poll(async () => (await client.get(`/v1/subjects/${subjectId}`)).status, { timeout: 20_000 })
    .toBe(404);
  expect((await client.get(`/v1/rights-requests/${id}/proof`)).status).toBe(200);
});
