import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrolledPerson,
  ok,
  PURPOSE,
} from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let officer: TestClient;
let clientId: string;
let galleryId: string;

beforeAll(async () => {
  stack = await Stack.start();
  const credentials = createCredentials(stack);
  clientId = credentials.clientId;
  client = await TestClient.connect(stack.url, credentials);
  officer = await TestClient.create(stack, 'admin:compliance admin:audit');
  galleryId = await createGallery(client, {
    name: 'Doors <b>&',
    model: 'dlib-resnet-v1',
    threshold: { targetFalseMatchRate: 0.001 },
  });
  await enrolledPerson(client, galleryId, embedding(1));
  await consentingSubject(client, 'identification');
  ok(await client.post('/v1/webhooks', { url: 'https://hooks.example.com/secret-path?token=hidden' }));
});

afterAll(() => stack.stop());

const record = async (): Promise<Json> => ok(await officer.get('/v1/admin/records/processing'));
const state = (facts: object[]): Promise<Json> => officer.send('PUT', '/v1/admin/records/facts', { facts });
const everywhere = { clientId: null, purpose: null };

const page = async (path: string, accept: string): Promise<Response> =>
  fetch(`${stack.url}/v1/admin/records/${path}`, {
    headers: { authorization: `Bearer ${officer.token}`, accept },
  });

const controls = async (): Promise<Map<string, Json>> => {
  const map = ok(await officer.get('/v1/admin/records/controls'));
  expect(Object.values<number>(map.states).reduce((sum, n) => sum + n, 0)).toBe(map.controls.length);
  return new Map(map.controls.map((control: Json) => [control.id, control]));
};

const impact = async (): Promise<Json> => ok(await officer.get('/v1/admin/records/impact'));
const assessmentOf = ({ assessments }: Json, jurisdiction: string, kind: string): Json =>
  assessments.find((each: Json) => each.jurisdiction === jurisdiction && each.kind === kind);

describe('the record of processing', () => {
  test('tells for each client and purpose whose data, which, to whom, for how long and from which source', async () => {
    const { clients, transfers } = await record();
    expect(clients.map((each: Json) => each.clientId)).toEqual([clientId]);
    const [{ purposes, recipients }] = clients;
    expect(recipients).toEqual(['hooks.example.com']);
    expect(transfers.backupTarget).toBe('none');
    const [doors] = purposes;
    expect(purposes.map((each: Json) => each.purpose)).toEqual([PURPOSE, 'identification']);
    expect(doors.subjects).toEqual([{ jurisdiction: 'EU-GDPR', subjects: 1 }]);
    expect(doors.dataCategories[0]).toBe('Face templates, sealed (dlib-resnet-v1, 128 dimensions)');
    expect(doors.galleries).toMatchObject([{ galleryId, templates: 1, thresholdCosine: 0.9292 }]);
    expect(doors.notices).toMatchObject([{ language: 'en', version: 1, data: 'We keep a template.' }]);
    expect(doors.timeLimits[0]).toMatchObject({
      rule: 'After the end of the consent',
      limit: 'P0D',
      policyRevision: 1,
    });
    expect(doors.timeLimits.every(({ source }: Json) => source.length > 5)).toBe(true);
  });

  test('never makes up what only people know: it is an open item until they say it', async () => {
    const before = await record();
    expect(before.operator).toEqual({ name: null, contact: null });
    expect(before.openItems).toContainEqual(
      expect.objectContaining({
        fact: 'legal_basis',
        clientId,
        purpose: PURPOSE,
        source: 'GDPR Art. 6(1) and 9(2)',
      }),
    );
    const facts = [
      { name: 'legal_basis', clientId: null, purpose: null, value: 'Explicit consent' },
      { name: 'legal_basis', clientId, purpose: 'identification', value: 'Public interest' },
      { name: 'operator_name', ...everywhere, value: 'Ada Lovelace Ltd' },
    ];
    expect(ok(await state(facts)).facts).toHaveLength(3);
    const { clients, operator, openItems } = await record();
    expect(operator.name).toBe('Ada Lovelace Ltd');
    expect(clients[0].purposes.map((each: Json) => each.legalBasis)).toEqual([
      'Explicit consent',
      'Public interest',
    ]);
    expect(openItems.map((each: Json) => each.fact)).not.toContain('legal_basis');
    // What is left out of the next statement is forgotten.
    expect(ok(await state(facts.slice(0, 1))).facts).toMatchObject([{ value: 'Explicit consent' }]);
    expect((await record()).operator.name).toBe(null);
  });

  test('keeps what people stated encrypted, and out of the audit log', async () => {
    ok(await state([{ name: 'dpo_contact', ...everywhere, value: 'grace.hopper@example.com' }]));
    const { rows } = await stack.owner.query('SELECT value FROM record_fact');
    expect(rows[0].value.toString('latin1')).not.toContain('grace');
    const { items } = ok(await officer.get('/v1/admin/audit-events?type=record.facts_replaced'));
    expect(items[0].details).toEqual({ facts: 1, changed: 'dpo_contact legal_basis' });
    expect(JSON.stringify(items)).not.toContain('grace');
  });

  test('refuses a fact that was stated twice, of a kind that it does not know, or of an unknown client', async () => {
    const fact = { name: 'operator_name', ...everywhere, value: 'x' };
    expect((await state([fact, fact])).body.code).toBe('invalid_request');
    expect((await state([{ ...fact, name: 'shoe_size' }])).body.code).toBe('invalid_request');
    const unknown = '019ac5c0-1f4e-7c52-9a40-5d0a3c1f7a01';
    expect((await state([{ ...fact, clientId: unknown }])).body.code).toBe('client_not_found');
    const { items } = ok(
      await officer.get('/v1/admin/audit-events?type=record.facts_replaced&outcome=refused'),
    );
    expect(items.map((each: Json) => each.code)).toEqual(['client_not_found']);
  });

  test('of one client is asked for by its id', async () => {
    const stranger = createCredentials(stack);
    const other = ok(await officer.get(`/v1/admin/records/processing?clientId=${stranger.clientId}`));
    expect(other.clients).toMatchObject([{ clientId: stranger.clientId, purposes: [] }]);
  });
});

describe('a page', () => {
  test.each(['processing', 'impact', 'controls'])(
    'of %s is there for who asks for one, with nothing to run or load',
    async (path) => {
      for (const response of [
        await page(path, 'text/html,application/xhtml+xml,*/*;q=0.8'),
        await page(`${path}?format=html`, 'application/json'),
      ]) {
        expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
        expect(response.headers.get('content-security-policy')).toMatch(
          /^default-src 'none'; style-src 'sha256-[^']+';/,
        );
        expect(response.headers.get('vary')).toContain('Accept');
        const text = await response.text();
        expect(text).not.toMatch(/<script|onload=|src=|href=/i);
        expect(text).toContain('<h1>');
      }
      for (const accept of ['application/json', '*/*', '']) {
        expect((await page(path, accept)).headers.get('content-type')).toContain('application/json');
      }
      expect((await page(`${path}?format=json`, 'text/html')).headers.get('content-type')).toContain('json');
    },
  );

  test('shows the names that people chose as text, whatever they are', async () => {
    ok(await state([{ name: 'operator_name', ...everywhere, value: `<script>alert("1")</script> & 'co'` }]));
    const text = await (await page('processing', 'text/html')).text();
    expect(text).toContain('Doors &lt;b&gt;&amp;');
    expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;');
    expect(text).not.toContain('<b>');
  });

  test('is refused with problem+json, as the record is', async () => {
    const refused = await fetch(`${stack.url}/v1/admin/records/controls`, {
      headers: { accept: 'text/html' },
    });
    expect([refused.status, refused.headers.get('content-type')]).toEqual([
      401,
      expect.stringContaining('problem+json'),
    ]);
  });
});

describe('the control map', () => {
  test('shows what a look at the running system found, with figures', async () => {
    const map = await controls();
    expect(map.get('A.8.24')).toMatchObject({
      state: 'met',
      evidence: { valuesUnderOldKeys: 0, keysInSecret: 1 },
    });
    expect(map.get('A.5.18')).toMatchObject({ state: 'met', evidence: { auditLogRewritableByApi: false } });
    expect(map.get('A.8.10')).toMatchObject({ state: 'met', evidence: { templatesWithoutConsent: 0 } });
    // As it stands in a test: no encrypted connections, no backups, nobody who signs checkpoints.
    expect(map.get('A.8.20')).toMatchObject({ state: 'not_met', evidence: { redis: 'none' } });
    expect(map.get('A.8.13')).toMatchObject({ state: 'not_met', evidence: { target: 'none' } });
    expect(map.get('A.8.15')).toMatchObject({
      state: 'not_met',
      evidence: { signatureGenuine: false, latestCheckpoint: null },
    });
  });

  test('says of a control that no system can see that it needs a person', async () => {
    expect((await controls()).get('A.7.1')).toMatchObject({
      state: 'needs_person',
      check: null,
      evidence: {},
    });
  });

  test('notices a template whose consent has ended, and values under an old key', async () => {
    await stack.owner.query(`UPDATE consent SET ended_at = now() WHERE purpose = $1`, [PURPOSE]);
    await stack.owner.query(`UPDATE webhook SET url = '\\x036f6c64'::bytea || substr(url, 1, 30)`);
    const map = await controls();
    expect(map.get('A.8.10')).toMatchObject({
      state: 'needs_person',
      evidence: { templatesWithoutConsent: 1 },
    });
    expect(map.get('A.8.24')).toMatchObject({ state: 'not_met', evidence: { valuesUnderOldKeys: 1 } });
    await stack.owner.query('DELETE FROM webhook');
  });
});

describe('an impact assessment', () => {
  test('finds thresholds with the false match rate measured for them, and risks with the controls that answer them', async () => {
    const { accuracy, risks, counts } = await impact();
    expect(accuracy).toMatchObject([{ galleryId, thresholdCosine: 0.9292, measuredFalseMatchRate: 0.001 }]);
    expect(risks[0].controls.map(({ id }: Json) => id)).toContain('A.8.24');
    expect(counts).toMatchObject({ subjects: 2, templates: 1 });
    expect((await impact()).openItems.map((each: Json) => each.fact)).toContain('restore_drill');
  });

  test('that a law asks for is overdue until one is recorded, and due again when the policy says', async () => {
    expect(assessmentOf(await impact(), 'IN-DPDP', 'impact')).toMatchObject({
      every: 'P1Y',
      lastAt: null,
      overdue: true,
    });
    expect(assessmentOf(await impact(), 'EU-GDPR', 'impact')).toMatchObject({ every: null, overdue: false });
    const body = { kind: 'impact', jurisdiction: 'IN-DPDP', assessedAt: '2026-02-28T12:00:00Z' };
    const key = { 'idempotency-key': 'assessed-once' };
    const { id } = ok(await officer.post('/v1/admin/records/assessments', body, key));
    expect(ok(await officer.post('/v1/admin/records/assessments', body, key)).id).toBe(id);
    expect(assessmentOf(await impact(), 'IN-DPDP', 'impact')).toMatchObject({
      lastAt: '2026-02-28T12:00:00.000Z',
      dueAt: '2027-02-28T12:00:00.000Z',
      overdue: false,
    });
    expect(assessmentOf(await impact(), 'IN-DPDP', 'audit').overdue).toBe(true);
    const { items } = ok(await officer.get('/v1/admin/audit-events?type=record.assessed'));
    expect(items.map((each: Json) => each.details)).toEqual([
      { assessmentId: id, kind: 'impact', jurisdiction: 'IN-DPDP', policyRevision: 1 },
    ]);
  });

  test('is not recorded of a jurisdiction without a policy, nor of the future', async () => {
    const body = { kind: 'impact', jurisdiction: 'XX-NONE', assessedAt: '2026-02-28T12:00:00Z' };
    expect((await officer.post('/v1/admin/records/assessments', body)).body.code).toBe(
      'jurisdiction_unknown',
    );
    const later = { ...body, jurisdiction: 'IN-DPDP', assessedAt: '2999-01-01T00:00:00Z' };
    expect((await officer.post('/v1/admin/records/assessments', later)).body.code).toBe('invalid_request');
  });
});
