import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, ok, PURPOSE, verify } from '../harness/story.js';
import { type Answer, createCredentials, type Json, TestClient } from '../harness/test-client.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let stack: Stack;
let client: TestClient;
let stranger: TestClient;
let noticeId: string;

beforeAll(async () => {
  stack = await Stack.start();
  const [own, other] = [createCredentials(stack), createCredentials(stack)];
  client = await TestClient.connect(stack.url, own);
  stranger = await TestClient.connect(stack.url, other);
  noticeId = await aNotice(PURPOSE);
});

afterAll(() => stack.stop());

async function aNotice(purpose: string, more: object = {}): Promise<string> {
  return ok(await client.post('/v1/notices', { purpose, ...NOTICE, ...more })).id;
}

async function aSubject(more: object = {}): Promise<string> {
  return ok(await client.post('/v1/subjects', more)).id;
}

function grant(subjectId: string, more: object = {}): Promise<Answer> {
  return client.post('/v1/consents', { subjectId, purpose: PURPOSE, noticeId, evidence: EVIDENCE, ...more });
}

async function factsOf(consentId: string): Promise<Json[]> {
  const { rows } = await stack.owner.query('SELECT * FROM consent_fact WHERE consent_id = $1 ORDER BY id', [
    consentId,
  ]);
  return rows;
}

function codeOf({ status, body }: Answer): [number, string] {
  return [status, body.code];
}

describe('a consent', () => {
  test('is kept with how, when and under which notice it was given, and from where', async () => {
    const at = new Date(Date.now() - DAY);
    const evidenceHash = 'ab'.repeat(32);
    const evidence = { method: 'signature', at, evidenceHash };
    const consent = ok(await grant(await aSubject(), { evidence }));
    expect(consent.grantedAt).toBe(at.toISOString());
    const [fact] = await factsOf(consent.id);
    expect(fact).toMatchObject({ kind: 'granted', at, method: 'signature', notice_id: noticeId });
    expect(fact.evidence_hash.toString('hex')).toBe(evidenceHash);
    expect(fact.ip_hash).toEqual(expect.any(String));
    // Of the client's back end; where the person was nobody has said.
    expect(fact.person_ip_hash).toBeNull();
    expect(JSON.stringify(fact)).not.toContain('127.0.0.1');
  });

  test('is kept with the hash of the address that the person had, and with no address', async () => {
    const from = async (address: string): Promise<string> => {
      const { id } = ok(await grant(await aSubject(), { evidence: { ...EVIDENCE, address } }));
      const [fact] = await factsOf(id);
      expect(JSON.stringify(fact)).not.toContain(address);
      return fact.person_ip_hash;
    };
    const hashes = await Promise.all(['203.0.113.7', '203.0.113.7', '203.0.113.8'].map(from));
    expect(hashes[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(hashes[1]).toBe(hashes[0]);
    expect(hashes[2]).not.toBe(hashes[0]);
    expect(await from('2001:DB8:0::1%eth0')).toBe(await from('2001:db8::1'));
    const subjectId = await aSubject();
    for (const address of ['at home', '203.0.113.777', '203.0.113.0/24', '', null]) {
      expect((await grant(subjectId, { evidence: { ...EVIDENCE, address } })).status).toBe(400);
    }
    const consent = ok(await grant(subjectId, { evidence: EVIDENCE }));
    const renewal = { evidence: { ...EVIDENCE, address: '203.0.113.7' } };
    ok(await client.post(`/v1/consents/${consent.id}/renew`, renewal));
    const renewed = (await factsOf(consent.id)).map(({ person_ip_hash }) => person_ip_hash);
    expect(renewed).toEqual([null, hashes[0]]);
    const no = { subjectId, purpose: PURPOSE, noticeId, ...renewal };
    const refused = ok(await client.post('/v1/consent-refusals', no));
    expect((await factsOf(refused.id))[0].person_ip_hash).toBe(hashes[0]);
    const { rows } = await stack.owner.query(
      'SELECT e::text AS all FROM audit_event e WHERE subject_id = $1',
      [subjectId],
    );
    expect(JSON.stringify(rows)).not.toContain('203.0.113');
    // An erasure forgets it.
    expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
    const after = (await factsOf(consent.id)).map(({ person_ip_hash }) => person_ip_hash);
    expect(after).toEqual([null, null, null]);
  });

  test('that has to be explicit is not given, and not given again, unless it is said how', async () => {
    const subjectId = await aSubject();
    const silent = await grant(subjectId, { evidence: undefined });
    expect(codeOf(silent)).toEqual([422, 'consent_method_required']);
    expect(silent.body.errors).toEqual([{ field: 'evidence.method', message: 'EU-GDPR asks for it' }]);
    const { id } = ok(await grant(subjectId));
    expect(codeOf(await client.post(`/v1/consents/${id}/renew`, {}))).toEqual([
      422,
      'consent_method_required',
    ]);
    ok(await client.post(`/v1/consents/${id}/renew`, { evidence: { method: 'spoken' } }));
    expect((await factsOf(id)).map(({ method }) => method)).toEqual(['checkbox', 'spoken']);
  });

  test('is not given in the future, nor in a way that nobody knows', async () => {
    const subjectId = await aSubject();
    const later = await grant(subjectId, {
      evidence: { method: 'spoken', at: new Date(Date.now() + HOUR) },
    });
    expect(codeOf(later)).toEqual([422, 'evidence_in_future']);
    for (const evidence of [{ method: 'telepathy' }, {}, { method: 'other', evidenceHash: 'x' }, 'yes']) {
      expect((await grant(subjectId, { evidence })).status).toBe(400);
    }
    const nothing = { method: 'other', at: null };
    for (const body of [{ evidence: nothing }, { evidence: null }, { noticeId: null }]) {
      expect((await grant(subjectId, body)).status).toBe(400);
    }
    // A refusal is a decision, and has its record.
    const { rows } = await stack.owner.query(
      `SELECT type, outcome, code FROM audit_event WHERE subject_id = $1 ORDER BY id`,
      [subjectId],
    );
    expect(rows.slice(1)).toEqual([
      { type: 'consent.granted', outcome: 'refused', code: 'evidence_in_future' },
    ]);
  });

  test('is renewed, and stays the same for what was enrolled under it', async () => {
    const subjectId = await aSubject();
    const gallery = await createGallery(client);
    const soon = new Date(Date.now() + HOUR);
    const consent = ok(await grant(subjectId, { expiresAt: soon }));
    ok(await enrol(client, gallery, subjectId, embedding(1)));
    const later = new Date(Date.now() + 30 * DAY);
    const next = await aNotice(PURPOSE);
    const renewed = ok(
      await client.post(`/v1/consents/${consent.id}/renew`, {
        noticeId: next,
        expiresAt: later,
        evidence: { method: 'checkbox' },
      }),
    );
    expect(renewed).toEqual({ ...consent, noticeId: next, expiresAt: later.toISOString() });
    expect(ok(await verify(client, gallery, subjectId, embedding(1))).match).toBe(true);
    const facts = await factsOf(consent.id);
    expect(facts.map(({ kind, notice_id, expires_at }) => [kind, notice_id, expires_at])).toEqual([
      ['granted', noticeId, soon],
      ['renewed', next, later],
    ]);
    const { rows } = await stack.owner.query(
      `SELECT details FROM audit_event WHERE subject_id = $1 AND type = 'consent.renewed'`,
      [subjectId],
    );
    expect(rows.map(({ details }) => details)).toEqual([
      { consentId: consent.id, noticeId: next, purpose: PURPOSE, method: 'checkbox' },
    ]);
  });

  test('that has ended is not renewed: withdrawn, or its time is up and nobody has noted it yet', async () => {
    const withdrawn = ok(await grant(await aSubject())).id;
    ok(await client.post(`/v1/consents/${withdrawn}/withdraw`));
    const expired = ok(await grant(await aSubject(), { expiresAt: new Date(Date.now() + HOUR) })).id;
    await stack.owner.query(`UPDATE consent SET expires_at = now() WHERE id = $1`, [expired]);
    for (const id of [withdrawn, expired]) {
      expect(codeOf(await client.post(`/v1/consents/${id}/renew`, {}))).toEqual([409, 'consent_ended']);
    }
    // Withdrawing is no error then; what is written down is what happened.
    expect(ok(await client.post(`/v1/consents/${expired}/withdraw`)).state).toBe('expired');
    expect((await factsOf(expired)).map(({ kind }) => kind)).toEqual(['granted', 'expired']);
  });

  test('is renewed under a notice for its purpose, by whom it was given to', async () => {
    const id = ok(await grant(await aSubject())).id;
    const renew = (body: object): Promise<Answer> => client.post(`/v1/consents/${id}/renew`, body);
    expect(codeOf(await renew({ noticeId: await aNotice('audit') }))).toEqual([
      422,
      'notice_for_another_purpose',
    ]);
    expect(codeOf(await renew({ noticeId: id }))).toEqual([404, 'notice_not_found']);
    expect(codeOf(await renew({ expiresAt: new Date(Date.now() - HOUR) }))).toEqual([
      422,
      'consent_expiry_in_past',
    ]);
    expect(codeOf(await stranger.post(`/v1/consents/${id}/renew`, {}))).toEqual([404, 'consent_not_found']);
  });

  test('renewed and withdrawn at once ends withdrawn, whichever comes first', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => ok(await grant(await aSubject())).id),
    );
    await Promise.all(
      ids.flatMap((id) => [
        client.post(`/v1/consents/${id}/renew`, { evidence: EVIDENCE }),
        client.post(`/v1/consents/${id}/withdraw`),
        client.post(`/v1/consents/${id}/renew`, { evidence: EVIDENCE }),
      ]),
    );
    for (const id of ids) {
      expect(ok(await client.get(`/v1/consents/${id}`)).state).toBe('withdrawn');
      const kinds = (await factsOf(id)).map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'withdrawn')).toHaveLength(1);
      expect(kinds.at(-1)).toBe('withdrawn');
    }
  });

  test('is for one purpose: withdrawing it leaves the others', async () => {
    const subjectId = await aSubject();
    const [doors, audit] = [
      ok(await grant(subjectId)).id,
      ok(await grant(subjectId, { purpose: 'audit', noticeId: await aNotice('audit') })).id,
    ];
    ok(await client.post(`/v1/consents/${doors}/withdraw`));
    expect(ok(await client.get(`/v1/consents/${audit}`)).state).toBe('active');
  });
});

describe('a refusal', () => {
  test('is kept, makes nothing valid, and hinders nobody from agreeing later', async () => {
    const subjectId = await aSubject();
    const gallery = await createGallery(client);
    const body = { subjectId, purpose: PURPOSE, noticeId, evidence: { method: 'button' } };
    const headers = { 'idempotency-key': `refusal-${subjectId}` };
    const refused = ok(await client.post('/v1/consent-refusals', body, headers));
    expect(ok(await client.post('/v1/consent-refusals', body, headers)).id).toBe(refused.id);
    expect(refused).toMatchObject({ subjectId, state: 'refused', endedAt: refused.grantedAt });
    expect(codeOf(await enrol(client, gallery, subjectId, embedding(2)))).toEqual([403, 'consent_required']);
    expect(codeOf(await client.post(`/v1/consents/${refused.id}/renew`, {}))).toEqual([409, 'consent_ended']);
    expect(ok(await client.post(`/v1/consents/${refused.id}/withdraw`)).state).toBe('refused');
    expect((await factsOf(refused.id)).map(({ kind, method }) => [kind, method])).toEqual([
      ['refused', 'button'],
    ]);
    const granted = ok(await grant(subjectId));
    ok(await enrol(client, gallery, subjectId, embedding(2)));
    ok(await client.post('/v1/consent-refusals', body));
    expect(ok(await client.get(`/v1/consents/${granted.id}`)).state).toBe('active');
    const { items } = ok(await client.get(`/v1/consents?subjectId=${subjectId}`));
    expect(items.map(({ state }: Json) => state)).toEqual(['refused', 'active', 'refused']);
  });

  test('is about a subject and a notice of the client', async () => {
    const body = { subjectId: await aSubject(), purpose: PURPOSE, noticeId };
    expect((await stranger.post('/v1/consent-refusals', body)).body.code).toBe('subject_not_found');
    const own = { ...body, subjectId: ok(await stranger.post('/v1/subjects', {})).id };
    expect((await stranger.post('/v1/consent-refusals', own)).body.code).toBe('notice_not_found');
  });
});

test('a withdrawal or an erasure that is refused is on record, erases nothing after a restore, and is forgotten with the person', async () => {
  const subjectId = await aSubject();
  const consent = ok(await grant(subjectId));
  const gallery = await createGallery(client);
  const template = `/v1/galleries/${gallery}/subjects/${subjectId}/templates/${consent.id}`;
  expect((await stranger.post(`/v1/consents/${consent.id}/withdraw`)).status).toBe(404);
  expect((await stranger.delete(`/v1/subjects/${subjectId}`)).status).toBe(404);
  expect((await client.delete(template)).status).toBe(404);
  const refusals = `SELECT type, code FROM audit_event WHERE outcome = 'refused'
    AND (subject_id = $1 OR details->>'consentId' = $2) ORDER BY id`;
  const { rows } = await stack.owner.query(refusals, [subjectId, consent.id]);
  expect(rows).toEqual([
    { type: 'consent.withdrawn', code: 'consent_not_found' },
    { type: 'subject.erased', code: 'subject_not_found' },
    { type: 'template.erased', code: 'template_not_found' },
  ]);
  const shipped = `SELECT FROM erasure_journal WHERE subject_id = $1 OR consent_id = $2`;
  expect((await stack.owner.query(shipped, [subjectId, consent.id])).rowCount).toBe(0);
  expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
  const left = `SELECT type, outcome FROM audit_event WHERE subject_id = $1`;
  expect((await stack.owner.query(left, [subjectId])).rows).toEqual([
    { type: 'subject.erased', outcome: 'ok' },
  ]);
});

describe('a minor', () => {
  const adultFrom = new Date(Date.now() + 400 * DAY).toISOString().slice(0, 10);
  const parent = { relationship: 'parent' };

  test('consents through a guardian, verified where the law asks for it, until the day of coming of age', async () => {
    const subjectId = await aSubject({ jurisdiction: 'IN-DPDP', adultFrom });
    expect(ok(await client.get(`/v1/subjects/${subjectId}`))).toMatchObject({ adultFrom });
    const fields = async (evidence?: object): Promise<unknown> => {
      const refused = await grant(subjectId, { evidence });
      expect(codeOf(refused)).toEqual([422, 'guardian_required']);
      return refused.body.errors.map(({ field }: Json) => field);
    };
    expect(await fields()).toEqual(['evidence.guardian']);
    expect(await fields({ method: 'checkbox' })).toEqual(['evidence.guardian']);
    expect(await fields({ method: 'checkbox', guardian: parent })).toEqual(['evidence.guardian.verifiedBy']);
    const guardians = [null, { ...parent, verifiedBy: null }, { ...parent, verifiedBy: 'myself' }];
    for (const each of guardians) {
      expect((await grant(subjectId, { evidence: { method: 'checkbox', guardian: each } })).status).toBe(400);
    }
    const guardian = { ...parent, verifiedBy: 'virtual_token' };
    const consent = ok(await grant(subjectId, { evidence: { method: 'checkbox', guardian } }));
    expect(consent.expiresAt).toBe(`${adultFrom}T00:00:00.000Z`);
    expect(await factsOf(consent.id)).toMatchObject([
      { guardian_relationship: 'parent', guardian_verified_by: 'virtual_token' },
    ]);
    // Neither does a renewal outlast it, nor does one do without the guardian.
    const renew = (body: object): Promise<Answer> => client.post(`/v1/consents/${consent.id}/renew`, body);
    expect(codeOf(await renew({}))).toEqual([422, 'guardian_required']);
    const renewed = ok(
      await renew({
        expiresAt: new Date(Date.now() + 4_000 * DAY),
        evidence: { method: 'button', guardian },
      }),
    );
    expect(renewed.expiresAt).toBe(`${adultFrom}T00:00:00.000Z`);
  });

  test('needs a guardian who need not be verified where the law leaves that open', async () => {
    const subjectId = await aSubject({ jurisdiction: 'EU-GDPR', adultFrom });
    expect(codeOf(await grant(subjectId))).toEqual([422, 'guardian_required']);
    const soon = new Date(Date.now() + DAY);
    const evidence = { method: 'checkbox', guardian: parent };
    expect(ok(await grant(subjectId, { evidence, expiresAt: soon })).expiresAt).toBe(soon.toISOString());
  });

  test('who has come of age consents alone, and an erasure forgets the day', async () => {
    const subjectId = await aSubject({ adultFrom: '2020-02-29' });
    expect(ok(await grant(subjectId)).expiresAt).toBeNull();
    expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
    const { rows } = await stack.owner.query('SELECT adult_from FROM subject WHERE id = $1', [subjectId]);
    expect(rows).toEqual([{ adult_from: null }]);
  });

  test('comes of age on a day that there is', async () => {
    for (const day of ['2031-02-29', '2031-13-01', '31-01-01', '2031-01-01T00:00:00Z', 'tomorrow']) {
      expect((await client.post('/v1/subjects', { adultFrom: day })).status).toBe(400);
    }
  });
});

describe('a jurisdiction', () => {
  test('that nobody has put in force is refused for a subject', async () => {
    const refused = await client.post('/v1/subjects', { jurisdiction: 'XX-NOWHERE' });
    expect(codeOf(refused)).toEqual([422, 'jurisdiction_unknown']);
  });

  test('that asks for a written release gets none by a click', async () => {
    const subjectId = await aSubject({ jurisdiction: 'US-IL-BIPA' });
    for (const evidence of [undefined, { method: 'checkbox' }, { method: 'spoken' }]) {
      expect(codeOf(await grant(subjectId, { evidence }))).toEqual([422, 'written_release_required']);
    }
    const { id } = ok(await grant(subjectId, { evidence: { method: 'written_release' } }));
    expect(codeOf(await client.post(`/v1/consents/${id}/renew`, {}))).toEqual([
      422,
      'written_release_required',
    ]);
    ok(await client.post(`/v1/consents/${id}/renew`, { evidence: { method: 'signature' } }));
    // Saying no needs no form.
    ok(await client.post('/v1/consent-refusals', { subjectId, purpose: PURPOSE, noticeId }));
  });

  test('that is put into the table works at once: its items, its form, its guardian, its longest consent', async () => {
    const policy: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
    policy.code = 'XX-TEST';
    policy.notice.items.value = ['service'];
    policy.consent.form.value = 'written_release';
    policy.consent.guardian.value = 'verifiable';
    policy.consent.longest.value = 'P30D';
    await stack.owner.query(
      'INSERT INTO jurisdiction_policy (jurisdiction, revision, document) VALUES ($1, 1, $2)',
      [policy.code, policy],
    );
    const purpose = 'testing';
    const incomplete = {
      purpose,
      language: 'en',
      title: 'T',
      items: { data: 'd' },
      jurisdiction: policy.code,
    };
    const refused = await client.post('/v1/notices', incomplete);
    expect(refused.body.errors.map(({ field }: Json) => field)).toEqual(['items.service']);
    const own = await aNotice(purpose, { items: { service: 's' }, jurisdiction: policy.code });
    const subjectId = await aSubject({ jurisdiction: policy.code });
    const { items } = ok(await client.get('/v1/subjects?limit=100'));
    expect(items.at(-1)).toMatchObject({ id: subjectId, jurisdiction: 'XX-TEST', adultFrom: null });
    const body = { purpose, noticeId: own };
    expect(codeOf(await grant(subjectId, body))).toEqual([422, 'written_release_required']);
    const at = new Date(Date.now() - 10 * DAY);
    const evidence = { method: 'written_release', at };
    const longest = new Date(at.getTime() + 30 * DAY);
    const consent = ok(
      await grant(subjectId, { ...body, evidence, expiresAt: new Date(Date.now() + 90 * DAY) }),
    );
    expect(consent.expiresAt).toBe(longest.toISOString());
    ok(await client.post(`/v1/consents/${consent.id}/withdraw`));
    const tooLongAgo = { method: 'written_release', at: new Date(Date.now() - 31 * DAY) };
    expect(codeOf(await grant(subjectId, { ...body, evidence: tooLongAgo }))).toEqual([
      422,
      'consent_expiry_in_past',
    ]);
  });
});
