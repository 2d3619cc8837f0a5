import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import {
  consentingPeople,
  createGallery,
  embedding,
  enrol,
  identify,
  ok,
  similar,
} from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';

const { items: ITEMS } = NOTICE;

let stack: Stack;
let client: TestClient;
let purposes = 0;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2, worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

const aPurpose = (): string => `purpose_${++purposes}`;

function publish(notice: object): Promise<Answer> {
  return client.post('/v1/notices', { language: 'en', title: 'Doors', ...notice });
}

function current(purpose: string, language: string, more = ''): Promise<Answer> {
  return client.get(`/v1/notices/current?purpose=${purpose}&language=${language}${more}`);
}

describe('an itemised notice', () => {
  test('is published in any language, and is refused where its jurisdiction asks for more than it says', async () => {
    const purpose = aPurpose();
    const said = { purpose, language: 'hi', title: 'द्वार', jurisdiction: 'IN-DPDP' };
    const { rights: _rights, withdrawal: _withdrawal, ...some } = ITEMS;
    const refused = await publish({ ...said, items: some });
    expect([refused.status, refused.body.code]).toEqual([422, 'notice_incomplete']);
    expect(refused.body.errors.map(({ field }: Json) => field)).toEqual(['items.withdrawal', 'items.rights']);
    expect((await publish({ ...said, items: { ...ITEMS, rights: null } })).status).toBe(400);
    const plain = await publish({ ...said, text: 'We keep a template.' });
    expect([plain.status, plain.body.code]).toEqual([422, 'notice_incomplete']);
    const notice = ok(await publish({ ...said, items: ITEMS }));
    expect(notice).toMatchObject({ items: ITEMS, jurisdiction: 'IN-DPDP', language: 'hi', version: 1 });
    // Who shows the text alone shows every item.
    for (const item of Object.values(ITEMS)) expect(notice.text).toContain(item);
    const records = await stack.owner.query(
      `SELECT outcome, code, details FROM audit_event WHERE type = 'notice.published' AND details->>'purpose' = $1`,
      [purpose],
    );
    expect(records.rows.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['refused', 'notice_incomplete'],
      ['refused', 'notice_incomplete'],
      ['ok', null],
    ]);
    expect(JSON.stringify(records.rows)).not.toContain('template');
  });

  test('is not published for a jurisdiction that nobody knows, nor with nothing to say', async () => {
    const unknown = await publish({ purpose: aPurpose(), items: ITEMS, jurisdiction: 'XX-NOWHERE' });
    expect([unknown.status, unknown.body.code]).toEqual([422, 'jurisdiction_unknown']);
    for (const nothing of [{}, { items: {} }, { items: { data: '' } }, { items: { dta: 'x' } }]) {
      expect((await publish({ purpose: aPurpose(), ...nothing })).status).toBe(400);
    }
  });

  test('names the hash of the version before it in its language, and anybody can compute both', async () => {
    const purpose = aPurpose();
    const first = ok(await publish({ purpose, items: ITEMS }));
    const hindi = ok(await publish({ purpose, language: 'hi', items: ITEMS }));
    const renewBy = '2036-01-01T00:00:00.000Z';
    const second = ok(await publish({ purpose, items: ITEMS, jurisdiction: 'EU-GDPR', renewBy }));
    expect([first.previousHash, hindi.previousHash, second.previousHash]).toEqual([null, null, first.hash]);
    expect(second.version).toBe(2);
    for (const notice of [first, hindi, second]) expect(notice.hash).toBe(hashOf(notice));
    expect(hashOf({ ...second, previousHash: hindi.hash })).not.toBe(second.hash);
  });

  test('of the version before is hashed as it was', async () => {
    const { id } = ok(await publish({ purpose: aPurpose(), text: 'Old.' }));
    const old = createHash('sha256').update('["velum notice v1","audit","en",1,"T","Old."]').digest();
    await stack.owner.query(
      `UPDATE notice SET format = 1, title = 'T', purpose = 'audit', hash = $2 WHERE id = $1`,
      [id, old],
    );
    expect(ok(await client.get(`/v1/notices/${id}`))).toMatchObject({ format: 1, hash: old.toString('hex') });
    const next = ok(await publish({ purpose: 'audit', text: 'New.' }));
    expect([next.version, next.format, next.previousHash]).toEqual([2, 2, old.toString('hex')]);
  });
});

describe('the current notice', () => {
  test('is the newest version in the first language that there is', async () => {
    const purpose = aPurpose();
    for (const language of ['en', 'hi', 'hi', 'zh-Hant'])
      await publish({ purpose, language, text: language });
    const found = async (language: string): Promise<[string, number]> => {
      const notice = ok(await current(purpose, language));
      return [notice.language, notice.version];
    };
    expect(await found('hi-IN')).toEqual(['hi', 2]);
    expect(await found('ta-IN,zh-Hant-CN,en')).toEqual(['zh-Hant', 1]);
    expect(await found('ta,EN-in')).toEqual(['en', 1]);
    const missing = await current(purpose, 'ta,fr');
    expect([missing.status, missing.body.code]).toEqual([404, 'notice_language_missing']);
    expect((await current(aPurpose(), 'en')).status).toBe(404);
    expect((await current(purpose, 'en_IN')).status).toBe(400);
    expect((await client.get('/v1/notices/current')).status).toBe(400);
  });

  test('of a jurisdiction is not that of another', async () => {
    const purpose = aPurpose();
    const [dpdp, gdpr] = [
      ok(await publish({ purpose, items: ITEMS, jurisdiction: 'IN-DPDP' })),
      ok(await publish({ purpose, items: ITEMS, jurisdiction: 'EU-GDPR' })),
    ];
    expect(ok(await current(purpose, 'en', '&jurisdiction=IN-DPDP')).id).toBe(dpdp.id);
    expect(ok(await current(purpose, 'en', '&jurisdiction=EU-GDPR')).id).toBe(gdpr.id);
    const subjectId = ok(await client.post('/v1/subjects', { jurisdiction: 'EU-GDPR' })).id;
    const refused = await client.post('/v1/consents', { subjectId, purpose, noticeId: dpdp.id });
    expect([refused.status, refused.body.code]).toEqual([422, 'notice_for_another_jurisdiction']);
  });

  test('that names none is looked through all the same, before anybody agrees to it', async () => {
    const purpose = aPurpose();
    const plain = ok(await publish({ purpose, text: 'We keep a template.' }));
    const { service: _service, ...some } = ITEMS;
    const european = ok(await publish({ purpose, items: some }));
    const agree = async (jurisdiction: string, notice: Json): Promise<Answer> => {
      const subjectId = ok(await client.post('/v1/subjects', { jurisdiction })).id;
      return client.post('/v1/consents', { subjectId, purpose, noticeId: notice.id, evidence: EVIDENCE });
    };
    for (const [jurisdiction, notice, lacks] of [
      ['IN-DPDP', plain, 'purpose, data, service, withdrawal, rights, complaint'],
      ['EU-GDPR', plain, 'purpose, data, retention, withdrawal, complaint, rights, controller'],
      ['IN-DPDP', european, 'service'],
    ] as const) {
      const refused = await agree(jurisdiction, notice);
      expect([refused.status, refused.body.code]).toEqual([422, 'notice_incomplete']);
      const message = `lacks ${lacks}, which ${jurisdiction} asks for`;
      expect(refused.body.errors).toEqual([{ field: 'noticeId', message }]);
    }
    const consent = ok(await agree('EU-GDPR', european));
    // Neither is a consent renewed under one that lacks something, and no is no under any.
    const renewal = { noticeId: plain.id, evidence: EVIDENCE };
    const renewed = await client.post(`/v1/consents/${consent.id}/renew`, renewal);
    expect(renewed.body.code).toBe('notice_incomplete');
    const { subjectId } = consent;
    ok(await client.post('/v1/consent-refusals', { subjectId, purpose, noticeId: plain.id }));
  });

  test('is offered in the languages that the policy names: of DPDP the 22 of the Eighth Schedule', async () => {
    const jurisdictions = ok(await client.get('/v1/jurisdictions'));
    const { document } = jurisdictions.find(({ jurisdiction }: Json) => jurisdiction === 'IN-DPDP');
    const { value: languages } = document.notice.languages;
    expect(languages).toHaveLength(22);
    const purpose = aPurpose();
    for (const language of languages) ok(await publish({ purpose, language, title: language, items: ITEMS }));
    for (const language of languages) {
      expect(ok(await current(purpose, `${language}-IN`)).title).toBe(language);
    }
  });
});

describe('a notice that asks for renewal', () => {
  test('ends what was consented to before at its date, on every replica, and what was renewed goes on', async () => {
    const gallery = await createGallery(client, { purpose: 'access_control' });
    const people = await consentingPeople(client, 4);
    const [renewing, idle, late, double] = people;
    if (!renewing || !idle || !late || !double) throw new Error('four people');
    // Looks like the one who does not renew.
    const faces = [0, 1, 2].map((seed) => embedding(seed));
    faces.push(similar(embedding(1), 9));
    for (const [i, { subjectId }] of people.entries())
      ok(await enrol(client, gallery, subjectId, faces[i] ?? []));
    const other = client.at(stack.apis[1]?.url ?? '');
    for (const i of people.keys()) expect(await candidates(other, gallery, i % 3)).toHaveLength(1);

    const renewBy = new Date(Date.now() + 6_000);
    const notice = ok(await publish({ purpose: 'access_control', items: ITEMS, renewBy }));
    for (const { consentId } of people) {
      expect(ok(await client.get(`/v1/consents/${consentId}`)).expiresAt).toBe(renewBy.toISOString());
    }
    const agreed = { noticeId: notice.id, evidence: EVIDENCE };
    const renewed = ok(await client.post(`/v1/consents/${renewing.consentId}/renew`, agreed));
    expect(renewed).toMatchObject({
      id: renewing.consentId,
      noticeId: notice.id,
      expiresAt: null,
      state: 'active',
    });
    ok(await client.post(`/v1/consents/${double.consentId}/renew`, agreed));
    // Agreeing to the old one again does not help.
    const again = ok(await client.post(`/v1/consents/${late.consentId}/renew`, { evidence: EVIDENCE }));
    expect(again.expiresAt).toBe(renewBy.toISOString());

    await expect
      .poll(() => candidates(other, gallery, 1), { timeout: 15_000, interval: 50 })
      .toMatchObject([{ subjectId: double.subjectId }]);
    expect(Date.now()).toBeGreaterThanOrEqual(renewBy.getTime() - 50);
    expect(await candidates(client, gallery, 2)).toEqual([]);
    expect(await candidates(other, gallery, 0)).toMatchObject([{ subjectId: renewing.subjectId }]);
    const expired = await client.post(`/v1/consents/${idle.consentId}/renew`, agreed);
    expect([expired.status, expired.body.code]).toEqual([409, 'consent_ended']);
    // The worker records the end, and erases what was made under it.
    const facts = async (): Promise<unknown> =>
      (
        await stack.owner.query('SELECT kind FROM consent_fact WHERE consent_id = $1 ORDER BY id', [
          idle.consentId,
        ])
      ).rows;
    await expect.poll(facts, { timeout: 30_000 }).toEqual([{ kind: 'granted' }, { kind: 'expired' }]);

    const old = ok(await client.get(`/v1/consents/${idle.consentId}`)).noticeId;
    const subjectId = ok(await client.post('/v1/subjects', {})).id;
    const agreement = { subjectId, purpose: 'access_control', noticeId: old, evidence: EVIDENCE };
    const outdated = await client.post('/v1/consents', agreement);
    expect([outdated.status, outdated.body.code]).toEqual([422, 'notice_outdated']);
  });

  test('concerns its language and its jurisdiction, and only what lasts longer', async () => {
    const purpose = aPurpose();
    const renewBy = new Date(Date.now() + 3_600_000);
    const sooner = new Date(Date.now() + 60_000);
    const [english, hindi] = [
      ok(await publish({ purpose, items: ITEMS })),
      ok(await publish({ purpose, language: 'hi', items: ITEMS })),
    ];
    const consent = async (noticeId: string, jurisdiction: string, expiresAt?: Date): Promise<string> => {
      const subjectId = ok(await client.post('/v1/subjects', { jurisdiction })).id;
      const agreement = { subjectId, purpose, noticeId, expiresAt, evidence: EVIDENCE };
      return ok(await client.post('/v1/consents', agreement)).id;
    };
    const untouched = [
      await consent(hindi.id, 'IN-DPDP'),
      await consent(english.id, 'EU-GDPR'),
      await consent(english.id, 'IN-DPDP', sooner),
    ];
    const ended = await consent(english.id, 'IN-DPDP');
    const notice = { purpose, items: ITEMS, jurisdiction: 'IN-DPDP', renewBy };
    ok(await publish(notice));
    const expiries = await Promise.all(
      [...untouched, ended].map(async (id) => ok(await client.get(`/v1/consents/${id}`)).expiresAt),
    );
    expect(expiries).toEqual([null, null, sooner.toISOString(), renewBy.toISOString()]);
    // Matchers skip its slots from then on, as they follow a withdrawal, and do not find out face by face.
    const { rows } = await stack.owner.query(
      `SELECT c.version = v.version AS newest FROM consent c JOIN consent_version v USING (client_id, purpose)
       WHERE c.id = $1`,
      [ended],
    );
    expect(rows).toEqual([{ newest: true }]);
    // Who agrees to the old one meanwhile is bound by the same date.
    const during = await consent(english.id, 'IN-DPDP');
    expect(ok(await client.get(`/v1/consents/${during}`)).expiresAt).toBe(renewBy.toISOString());
    const past = await publish({ ...notice, renewBy: new Date(Date.now() - 1) });
    expect([past.status, past.body.code]).toEqual([422, 'renewal_in_past']);
  });

  test('misses no consent that is given while it is published', async () => {
    const purpose = aPurpose();
    const noticeId = ok(await publish({ purpose, items: ITEMS })).id;
    const renewBy = new Date(Date.now() + 3_600_000);
    const subjects = await Promise.all(Array.from({ length: 40 }, () => client.post('/v1/subjects', {})));
    const other = client.at(stack.apis[1]?.url ?? '');
    const grants = subjects.map((subject, i) => async (): Promise<string> => {
      const body = { subjectId: ok(subject).id, purpose, noticeId, evidence: EVIDENCE };
      const { id } = ok(await (i % 2 === 0 ? client : other).post('/v1/consents', body));
      // Some are withdrawn at once: neither waits for the other for ever.
      if (i % 4 === 0) ok(await other.post(`/v1/consents/${id}/withdraw`));
      return id;
    });
    const publishing = grants.splice(0, 10).map((grant) => grant());
    const [published, ...ids] = await Promise.all([
      publish({ purpose, text: 'Two.', renewBy }),
      ...publishing,
      ...grants.map((grant) => grant()),
    ]);
    ok(published);
    for (const id of ids) {
      const { state, expiresAt } = ok(await client.get(`/v1/consents/${id}`));
      if (state === 'active') expect(expiresAt).toBe(renewBy.toISOString());
    }
  });
});

async function candidates(at: TestClient, gallery: string, face: number): Promise<Json> {
  return ok(await identify(at, gallery, embedding(face))).candidates;
}

function hashOf({ purpose, language, version, title, text, items, ...notice }: Json): string {
  const listed = items && Object.keys(ITEMS).flatMap((name) => (name in items ? [[name, items[name]]] : []));
  const { jurisdiction, renewBy, previousHash } = notice;
  const all = ['velum notice v2', purpose, language, version, title, text, listed, jurisdiction, renewBy];
  return createHash('sha256')
    .update(JSON.stringify([...all, previousHash]))
    .digest('hex');
}
