import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, ok, verify } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

/** More than a worker takes at once, several times. */
const PEOPLE = 3_000;

let stack: Stack;
let client: TestClient;
let purposes = 0;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function sql(statement: string, ...values: readonly unknown[]): Promise<Json[]> {
  return (await stack.owner.query(statement, [...values])).rows;
}

interface Purpose {
  readonly purpose: string;
  readonly noticeId: string;
}

/** A purpose to which so many have consented for ever; whoever consents later is the last that a worker comes to. */
async function consentedPurpose(people: number): Promise<Purpose> {
  const purpose = `purpose_${++purposes}`;
  const { id: noticeId } = ok(await client.post('/v1/notices', { purpose, ...NOTICE }));
  await sql(
    `WITH s AS (INSERT INTO subject (id, client_id, jurisdiction)
       SELECT gen_random_uuid(), n.client_id, 'EU-GDPR' FROM notice n, generate_series(1, $2) WHERE n.id = $1
       RETURNING id, client_id)
     INSERT INTO consent (id, client_id, subject_id, purpose, notice_id, version)
     SELECT ('00000000-0000-4000-8000-' || lpad(to_hex($4::int * 1000000 + row_number() OVER ()), 12, '0'))::uuid,
       client_id, id, $3, $1, 1 FROM s`,
    noticeId,
    people,
    purpose,
    purposes,
  );
  return { purpose, noticeId };
}

async function askForRenewal({ purpose }: Purpose, renewBy: Date): Promise<string> {
  return ok(await client.post('/v1/notices', { purpose, ...NOTICE, renewBy })).id;
}

/** One run of the engine; answers whether it lived to its end. */
async function run(killAt = 0): Promise<boolean> {
  const child = spawn(process.execPath, ['dist/test/faults/engine-process.js'], {
    env: { ...process.env, ...stack.env, ENGINE: 'renewals', KILL_AT: String(killAt) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  return code === 0;
}

test('of many consents that a notice wants renewed each is shortened once and on record, though workers are killed and some come late', async () => {
  const about = await consentedPurpose(PEOPLE);
  const renewBy = new Date(Date.now() + 3_600_000);
  const noticeId = await askForRenewal(about, renewBy);
  // Given after it was published and before the worker has come to the end.
  const subjectId = ok(await client.post('/v1/subjects', {})).id;
  const late = ok(await client.post('/v1/consents', { ...about, subjectId, evidence: EVIDENCE }));
  expect(late.expiresAt).toBe(renewBy.toISOString());
  const [withdrawn] = await sql(
    'SELECT id FROM consent WHERE purpose = $1 AND expires_at IS NULL LIMIT 1',
    about.purpose,
  );
  ok(await client.post(`/v1/consents/${withdrawn?.['id']}/withdraw`));

  const lived = [await run(10), ...(await Promise.all([run(12), run(17)])), await run()];
  expect(lived).toEqual([false, false, false, true]);
  const [counts] = await sql(
    `SELECT count(*) FILTER (WHERE expires_at = $2)::int AS shortened, count(*)::int AS all,
            count(DISTINCT version) FILTER (WHERE ended_at IS NULL)::int AS versions FROM consent WHERE purpose = $1`,
    about.purpose,
    renewBy,
  );
  expect(counts).toMatchObject({ shortened: PEOPLE, all: PEOPLE + 1 });
  expect(counts?.['versions']).toBeLessThan(10);
  const entries = await sql(
    `SELECT count(*)::int AS entries, count(DISTINCT subject_id)::int AS people,
            count(DISTINCT details->>'consentId')::int AS consents
     FROM audit_event WHERE type = 'consent.shortened' AND details->>'noticeId' = $1`,
    noticeId,
  );
  expect(entries).toEqual([{ entries: PEOPLE - 1, people: PEOPLE - 1, consents: PEOPLE - 1 }]);
  expect(await sql('SELECT FROM renewal_demand')).toEqual([]);
});

test('nobody is matched after the date under an old notice, though no worker has come to it', async () => {
  const about = await consentedPurpose(PEOPLE);
  const gallery = await createGallery(client, { purpose: about.purpose });
  const subjectId = ok(await client.post('/v1/subjects', {})).id;
  const { id } = ok(await client.post('/v1/consents', { ...about, subjectId, evidence: EVIDENCE }));
  ok(await enrol(client, gallery, subjectId, embedding(1)));
  const others = await Promise.all(
    [1, 2].map(async () => {
      const other = { subjectId: ok(await client.post('/v1/subjects', {})).id, evidence: EVIDENCE };
      return ok(await client.post('/v1/consents', { ...about, ...other }));
    }),
  );
  const renewBy = new Date(Date.now() + 5_000);
  const newer = await askForRenewal(about, renewBy);
  expect(ok(await verify(client, gallery, subjectId, embedding(1))).match).toBe(true);
  const refusal = async (): Promise<string> =>
    (await verify(client, gallery, subjectId, embedding(1))).body.code;
  await expect.poll(refusal, { timeout: 20_000, interval: 100 }).toBe('consent_required');
  expect(await sql('SELECT expires_at FROM consent WHERE id = $1', id)).toEqual([{ expires_at: null }]);
  expect((await enrol(client, gallery, subjectId, embedding(1))).body.code).toBe('consent_required');

  // Whoever asks is told the same, and it is too late to renew.
  const shown = { state: 'expired', expiresAt: renewBy.toISOString() };
  expect(ok(await client.get(`/v1/consents/${id}`))).toMatchObject(shown);
  expect(ok(await client.get(`/v1/consents?subjectId=${subjectId}`)).items).toMatchObject([shown]);
  const { receipt } = ok(await client.get(`/v1/consents/${id}/receipt`));
  const said: Json = JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString());
  expect(said).toMatchObject({ state: 'expired', valid_until: renewBy.toISOString() });
  const renewal = { noticeId: newer, evidence: EVIDENCE };
  const renewed = await client.post(`/v1/consents/${id}/renew`, renewal);
  expect([renewed.status, renewed.body.code]).toEqual([409, 'consent_ended']);
  // It is in nobody's way: agreeing anew, withdrawing and an erasure find it ended.
  const anew = ok(await client.post('/v1/consents', { ...about, ...renewal, subjectId }));
  expect(anew).toMatchObject({ state: 'active', expiresAt: null });
  const [second, third] = others;
  expect(ok(await client.post(`/v1/consents/${second?.id}/withdraw`))).toMatchObject(shown);
  expect((await client.delete(`/v1/subjects/${third?.subjectId}`)).status).toBe(204);
  const ended = [id, second?.id, third?.id];
  const rows = await sql(
    `SELECT c.expires_at, f.kind FROM consent c JOIN consent_fact f ON f.consent_id = c.id
     WHERE c.id = ANY($1) AND f.kind <> 'granted'`,
    ended,
  );
  expect(rows).toEqual(ended.map(() => ({ expires_at: renewBy, kind: 'expired' })));
});
