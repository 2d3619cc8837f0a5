import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addEntries, ENTRIES, hoursAgo, openIncident, releasedIncident } from '../harness/incidents.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
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
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';
import { WebhookReceiver } from '../harness/webhook-receiver.js';

let stack: Stack;
let officer: TestClient;
let client: TestClient;
/** Made at once: a test that waits for a process loses its connections. */
let others: TestClient[];

beforeAll(async () => {
  stack = await Stack.start({ env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32' } });
  const admin = createCredentials(stack, 'admin:compliance admin:audit');
  const credentials = Array.from({ length: 5 }, () => createCredentials(stack));
  officer = await TestClient.connect(stack.url, admin);
  others = await Promise.all(credentials.map((each) => TestClient.connect(stack.url, each)));
  client = another();
});

afterAll(() => stack.stop());

function another(): TestClient {
  const made = others.pop();
  if (made === undefined) throw new Error('no client is left');
  return made;
}

async function subjectOf(jurisdiction: string, of = client): Promise<string> {
  return ok(await of.post('/v1/subjects', { jurisdiction })).id;
}

const dutiesOf = (incident: Json): [string, string, string][] =>
  incident.duties.map(({ jurisdiction, duty, state }: Json) => [jurisdiction, duty, state]);

const at = (incidentId: string, path = ''): string => `/v1/admin/incidents/${incidentId}${path}`;

async function loggedOf(incidentId: string): Promise<Json[]> {
  const { items } = ok(await officer.get('/v1/admin/audit-events?limit=200'));
  return items.filter(({ details }: Json) => details.incidentId === incidentId).toReversed();
}

describe('an incident', () => {
  test('is opened, assessed, contained and closed, and each step is in the log', async () => {
    const { id } = await openIncident(officer);
    expect((await officer.post(at(id, '/contain'))).body.code).toBe('incident_step_refused');
    ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'low' }));
    ok(await officer.post(at(id, '/contain')));
    const falsely = await officer.post(at(id, '/close'), { as: 'false_alarm' });
    expect([falsely.status, falsely.body.code]).toEqual([409, 'incident_step_refused']);
    const closed = ok(await officer.post(at(id, '/close'), { as: 'handled' }));
    expect(closed.state).toBe('closed');
    expect(closed.transitions.map(({ step, state }: Json) => [step, state])).toEqual([
      ['open', 'open'],
      ['assess', 'assessed'],
      ['contain', 'contained'],
      ['close', 'closed'],
    ]);
    expect((await officer.post(at(id, '/assess'), { breach: false, risk: 'none' })).status).toBe(409);
    expect((await officer.post(at(id, '/entries'), { kind: 'action', text: 'x' })).status).toBe(409);
    const logged = await loggedOf(id);
    expect(logged.map(({ type, outcome }) => [type, outcome])).toEqual([
      ['incident.opened', 'ok'],
      ['incident.contained', 'refused'],
      ['incident.assessed', 'ok'],
      ['incident.contained', 'ok'],
      ['incident.closed', 'refused'],
      ['incident.closed', 'ok'],
      ['incident.assessed', 'refused'],
    ]);
  });

  test('has its texts encrypted in the database, and none of them in the log', async () => {
    const { id } = await openIncident(officer, { title: 'Quince', description: 'Quince jam' });
    ok(await officer.post(at(id, '/entries'), { kind: 'action', text: 'Quince tart' }));
    const { rows } = await stack.owner.query(
      `SELECT i::text || e::text AS all FROM incident i JOIN incident_entry e ON e.incident_id = i.id WHERE i.id = $1`,
      [id],
    );
    const hex = Buffer.from('Quince').toString('hex');
    expect(rows.some(({ all }) => all.includes('Quince') || all.includes(hex))).toBe(false);
    expect(JSON.stringify(await loggedOf(id))).not.toContain('Quince');
    const names = (
      await stack.owner.query("SELECT name FROM sealed_values() WHERE name LIKE 'incident%'")
    ).rows.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['incident.title', 'incident.description', 'incident_entry.text']),
    );
    const shown = ok(await officer.get(at(id)));
    expect([shown.title, shown.entries[0].text]).toEqual(['Quince', 'Quince tart']);
  });

  test('cannot have become known in the future, nor have ended before it began', async () => {
    for (const times of [
      { knownAt: hoursAgo(-1) },
      { occurredFrom: hoursAgo(1), occurredTo: hoursAgo(2) },
      { occurredTo: hoursAgo(-1) },
    ]) {
      const settings = { title: 't', description: 'd', kind: 'loss', severity: 'low', knownAt: hoursAgo(1) };
      const refused = await officer.post('/v1/admin/incidents', { ...settings, ...times });
      expect([refused.status, refused.body.code]).toEqual([422, 'incident_times_invalid']);
    }
  });

  test('sent twice with one Idempotency-Key is one incident', async () => {
    const body = {
      title: 't',
      description: 'd',
      kind: 'loss',
      severity: 'low',
      knownAt: hoursAgo(1).toISOString(),
    };
    const send = (): Promise<Json> =>
      officer.post('/v1/admin/incidents', body, { 'idempotency-key': 'once' }).then(ok);
    const [one, other] = await Promise.all([send(), send()]);
    expect(other.id).toBe(one.id);
  });
});

describe('the clocks of the law', () => {
  test('begin for each jurisdiction of the affected persons, counted from when it became known', async () => {
    const opened = await openIncident(officer, {
      knownAt: '2026-11-20T10:00:00Z',
      jurisdictions: ['EU-GDPR'],
    });
    const gdpr = opened.duties.find(({ duty }: Json) => duty === 'authority_first');
    expect(gdpr).toMatchObject({
      dueAt: '2026-11-23T10:00:00.000Z',
      revision: 1,
      source: expect.stringContaining('Art. 33(1)'),
      addressee: 'the supervisory authority',
    });
    const { duties } = ok(
      await officer.post(at(opened.id, '/affected'), { subjectIds: [await subjectOf('IN-DPDP')] }),
    );
    expect(duties.length).toBe(6);
    const board = duties.find(
      ({ jurisdiction, duty }: Json) => jurisdiction === 'IN-DPDP' && duty === 'authority_detailed',
    );
    expect(board).toMatchObject({
      dueAt: '2026-11-23T10:00:00.000Z',
      addressee: 'the Data Protection Board of India',
    });
    expect(Math.sign(board.secondsLeft)).toBe(board.state === 'overdue' ? -1 : 1);
  });

  test('a jurisdiction that was made today has its clocks and texts without any code', async () => {
    const policy = (await stack.owner.query('SELECT document FROM jurisdiction_policy LIMIT 1')).rows[0]
      .document;
    const document = { ...policy, code: 'NA-MARS', name: 'Mars', law: 'Mars Act' };
    document.breach = {
      authority: { value: { name: 'the Rover', first: 'PT5H', detailed: 'P1M' }, source: 'Mars Act 7' },
      persons: { value: { within: 'P2D' }, source: 'Mars Act 8' },
    };
    await stack.owner.query(
      'INSERT INTO jurisdiction_policy (jurisdiction, revision, document) VALUES ($1, 1, $2)',
      ['NA-MARS', document],
    );
    const { id } = await openIncident(officer, { knownAt: '2026-11-20T10:00:00Z' });
    const { duties } = ok(
      await officer.post(at(id, '/affected'), { subjectIds: [await subjectOf('NA-MARS')] }),
    );
    expect(duties.map(({ duty, dueAt, source }: Json) => [duty, dueAt, source])).toEqual([
      ['authority_first', '2026-11-20T15:00:00.000Z', 'Mars Act 7'],
      ['persons', '2026-11-22T10:00:00.000Z', 'Mars Act 8'],
      ['authority_detailed', '2026-12-20T10:00:00.000Z', 'Mars Act 7'],
    ]);
    const { items } = ok(await officer.get(at(id, '/texts?duty=authority_detailed&language=fr')));
    expect(items[0]).toMatchObject({ jurisdiction: 'NA-MARS', language: 'en' });
    expect(items[0].text).toMatch(/to the Rover[\s\S]*Under: Mars Act/);
  });

  test('the assessment says which duties apply, and one that was recorded is met', async () => {
    const { id } = await openIncident(officer, { jurisdictions: ['EU-GDPR', 'IN-DPDP'] });
    const low = ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'low' }));
    expect(dutiesOf(low)).toEqual(
      expect.arrayContaining([
        ['EU-GDPR', 'authority_first', 'due'],
        ['EU-GDPR', 'persons', 'not_required'],
        ['IN-DPDP', 'authority_first', 'overdue'],
        ['IN-DPDP', 'persons', 'overdue'],
      ]),
    );
    ok(await officer.post(at(id, '/contain')));
    expect((await officer.post(at(id, '/close'), { as: 'handled' })).body.code).toBe('incident_duties_open');
    for (const { id: dutyId, duty, state } of low.duties) {
      if (state === 'not_required') continue;
      const notified = at(id, `/duties/${dutyId}/notified`);
      expect((await officer.post(notified, { at: hoursAgo(-1) })).body.code).toBe('incident_times_invalid');
      expect((await officer.post(notified, { at: hoursAgo(2) })).body.code).toBe('incident_times_invalid');
      const told = { at: hoursAgo(0.5), ...(duty !== 'persons' && { reference: 'DPB/2026/77' }) };
      const after = ok(await officer.post(notified, told));
      const met = after.duties.find((each: Json) => each.id === dutyId);
      expect(met).toMatchObject({ state: state === 'due' ? 'met' : 'met_late', secondsLeft: null });
      expect((await officer.post(notified, told)).body.code).toBe('incident_duty_already_met');
    }
    expect(ok(await officer.post(at(id, '/close'), { as: 'handled' })).state).toBe('closed');
  });

  test('a false alarm has no duties', async () => {
    const { id } = await openIncident(officer, { jurisdictions: ['IN-DPDP'] });
    const closed = ok(await officer.post(at(id, '/close'), { as: 'false_alarm' }));
    expect(new Set(closed.duties.map(({ state }: Json) => state))).toEqual(new Set(['not_required']));
  });
});

async function found(filter: object): Promise<number> {
  const { id } = await openIncident(officer);
  return ok(await officer.post(at(id, '/affected'), filter)).affected[0].found;
}

describe('affected subjects', () => {
  test('are found by client, gallery, purpose, enrolment, comparison, jurisdiction and id', async () => {
    const own = another();
    const gallery = await createGallery(own);
    const other = await createGallery(own);
    const ann = await enrolledPerson(own, gallery, embedding(1));
    const bob = await enrolledPerson(own, other, embedding(2));
    const carl = await consentingSubject(own, 'audit');
    const dan = await subjectOf('IN-DPDP', own);
    ok(await verify(own, gallery, ann.subjectId, embedding(1)));
    const between = new Date();
    ok(await identify(own, other, embedding(2)));
    const { rows } = await stack.owner.query('SELECT client_id FROM subject WHERE id = $1', [dan]);
    const clientId = rows[0].client_id;
    expect(await found({ clientId })).toBe(4);
    expect(await found({ galleryId: gallery })).toBe(1);
    expect(await found({ clientId, purpose: PURPOSE })).toBe(2);
    expect(await found({ clientId, purpose: 'audit' })).toBe(1);
    expect(await found({ clientId, jurisdiction: 'IN-DPDP' })).toBe(1);
    expect(await found({ subjectIds: [carl.subjectId, dan] })).toBe(2);
    expect(await found({ clientId, enrolledFrom: hoursAgo(1) })).toBe(2);
    expect(await found({ clientId, enrolledTo: hoursAgo(1) })).toBe(0);
    expect(await found({ clientId, matchedFrom: hoursAgo(1) })).toBe(2);
    expect(await found({ clientId, matchedFrom: between })).toBe(1);
    expect(await found({ galleryId: gallery, matchedFrom: hoursAgo(1) })).toBe(1);
    expect(await found({ galleryId: gallery, matchedFrom: between })).toBe(0);
    // Enrolled when it happened, though the template is gone since.
    const templates = `/v1/galleries/${other}/subjects/${bob.subjectId}/templates`;
    const [{ id: templateId }] = ok(await own.get(templates));
    expect((await own.delete(`${templates}/${templateId}`)).status).toBe(204);
    expect(await found({ galleryId: other })).toBe(1);
  });

  test('are those too who asked for erasure and whose data the law still holds, and they are told', async () => {
    const own = another();
    const gallery = await createGallery(own);
    const subjectId = await subjectOf('IN-DPDP', own);
    await grantConsent(own, subjectId);
    ok(await enrol(own, gallery, subjectId, embedding(5)));
    const gone = await enrolledPerson(own, gallery, embedding(6));
    expect((await own.delete(`/v1/subjects/${subjectId}`)).status).toBe(202);
    expect((await own.delete(`/v1/subjects/${gone.subjectId}`)).status).toBe(204);
    const people = [subjectId, gone.subjectId];
    for (const filter of [{ galleryId: gallery }, { jurisdiction: 'IN-DPDP' }, { purpose: PURPOSE }]) {
      expect(await found({ ...filter, subjectIds: people })).toBe(1);
    }
    const { id } = await openIncident(officer);
    const { duties } = ok(await officer.post(at(id, '/affected'), { subjectIds: people }));
    expect(new Set(duties.map(({ jurisdiction }: Json) => jurisdiction))).toEqual(new Set(['IN-DPDP']));
    ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'low' }));
    await addEntries(officer, id);
    expect(ok(await officer.post(at(id, '/notify'))).released).toBe(1);
    const { items } = ok(await own.get(`/v1/incidents/${id}/notices`));
    expect(items).toEqual([{ subjectId, jurisdiction: 'IN-DPDP', state: 'pending' }]);
    // Of a template older than the log there is the row alone.
    await stack.owner.query('UPDATE audit_event SET subject_id = NULL WHERE subject_id = $1', [subjectId]);
    expect(await found({ galleryId: gallery })).toBe(1);
    await stack.owner.query(
      'UPDATE destruction SET since = now(), due_at = now(), destroyed_at = now() WHERE subject_id = $1',
      [subjectId],
    );
    expect(await found({ subjectIds: people })).toBe(0);
  });

  test('stay the same whatever becomes of them, until the query is run once more', async () => {
    const gallery = await createGallery(client);
    await enrolledPerson(client, gallery, embedding(3));
    const { id } = await openIncident(officer);
    const first = ok(await officer.post(at(id, '/affected'), { galleryId: gallery }));
    expect([first.subjects, first.affected.length]).toEqual([1, 1]);
    await enrolledPerson(client, gallery, embedding(4));
    expect(ok(await officer.get(at(id))).subjects).toBe(1);
    const again = ok(await officer.post(at(id, `/affected/${first.affected[0].id}/rerun`)));
    expect(again.affected[1]).toMatchObject({ filter: { galleryId: gallery }, found: 2, added: 1 });
    expect(again.subjects).toBe(2);
    const unknown = await officer.post(at(id, `/affected/${id}/rerun`));
    expect(unknown.body.code).toBe('affected_query_not_found');
  });

  test('a query without a condition is refused, so that nobody marks everyone by mistake', async () => {
    const { id } = await openIncident(officer);
    for (const filter of [{}, { matchedFrom: hoursAgo(1), matchedTo: hoursAgo(2) }]) {
      expect((await officer.post(at(id, '/affected'), filter)).body.code).toBe('affected_filter_empty');
    }
  });

  test('a hundred thousand of them are frozen within seconds', { timeout: 120_000 }, async () => {
    const own = another();
    const subjectId = await subjectOf('EU-GDPR', own);
    const { rows } = await stack.owner.query(
      `INSERT INTO subject (id, client_id, jurisdiction)
       SELECT gen_random_uuid(), s.client_id, CASE WHEN n % 2 = 0 THEN 'EU-GDPR' ELSE 'IN-DPDP' END
       FROM subject s, generate_series(1, 100000) AS n WHERE s.id = $1 RETURNING client_id`,
      [subjectId],
    );
    const { id } = await openIncident(officer);
    const started = performance.now();
    const { subjects, duties } = ok(
      await officer.post(at(id, '/affected'), { clientId: rows[0].client_id, jurisdiction: 'IN-DPDP' }),
    );
    const all = ok(await officer.post(at(id, '/affected'), { clientId: rows[0].client_id }));
    const took = performance.now() - started;
    expect([subjects, all.subjects, duties.length, all.duties.length]).toEqual([50_000, 100_001, 3, 6]);
    expect(took).toBeLessThan(30_000);
    await addEntries(officer, id);
    ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'high' }));
    expect(ok(await officer.post(at(id, '/notify'))).released).toBe(100_001);
    const csv = String(ok(await officer.get(at(id, '/delivery.csv'))));
    expect(csv.split('\r\n').length).toBe(100_001 + 2);
  });
});

describe('persons are told', () => {
  test('of nothing before it was assessed as a breach and all is known that the law asks for', async () => {
    const subjectId = await subjectOf('IN-DPDP');
    const { id } = await openIncident(officer);
    ok(await officer.post(at(id, '/affected'), { subjectIds: [subjectId] }));
    expect((await officer.post(at(id, '/notify'))).body.code).toBe('incident_step_refused');
    ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'low' }));
    const incomplete = await officer.post(at(id, '/notify'));
    expect(incomplete.body.code).toBe('incident_notice_incomplete');
    expect(incomplete.body.errors.map(({ field }: Json) => field).toSorted()).toEqual(
      Object.keys(ENTRIES).toSorted(),
    );
    expect((await client.get(`/v1/incidents/${id}/notices`)).status).toBe(404);
    await addEntries(officer, id);
    expect(ok(await officer.post(at(id, '/notify')))).toEqual({ released: 1, inWebhooks: 0 });
    expect(ok(await officer.post(at(id, '/notify'))).released).toBe(0);
  });

  test('by the client that knows them, in each language that there is, and it says how that ended', async () => {
    const [indian, french] = [await subjectOf('IN-DPDP'), await subjectOf('EU-GDPR')];
    const hindi = { kind: 'contact', language: 'hi', text: 'शिकायत अधिकारी' };
    const { id } = await openIncident(officer);
    ok(await officer.post(at(id, '/entries'), hindi));
    await addEntries(officer, id);
    ok(await officer.post(at(id, '/assess'), { breach: true, risk: 'high' }));
    ok(await officer.post(at(id, '/affected'), { subjectIds: [indian, french] }));
    ok(await officer.post(at(id, '/notify')));
    const listed = ok(await client.get('/v1/incidents'));
    expect(listed.items[0]).toEqual({ id, subjects: 2, open: 2 });
    // Asking whether there is something shows it to nobody.
    expect((await client.send('HEAD', `/v1/incidents/${id}/notices`)).status).toBe(200);
    expect(ok(await client.get('/v1/incidents')).items[0]).toEqual({ id, subjects: 2, open: 2 });
    expect((await loggedOf(id)).map(({ type }) => type)).not.toContain('incident.notices_handed_over');
    const notices = ok(await client.get(`/v1/incidents/${id}/notices`));
    expect(notices.items.map(({ subjectId }: Json) => subjectId)).toEqual([indian, french].toSorted());
    const texts = Object.fromEntries(
      notices.texts.map(({ jurisdiction, language, text }: Json) => [`${jurisdiction} ${language}`, text]),
    );
    expect(Object.keys(texts).toSorted()).toEqual(['EU-GDPR en', 'IN-DPDP en', 'IN-DPDP hi']);
    expect(texts['IN-DPDP hi']).toMatch(/कौन देगा: शिकायत अधिकारी/);
    expect(texts['EU-GDPR en']).toContain(ENTRIES.facts);
    const deliver = (deliveries: object[]): Promise<Json> =>
      client.post(`/v1/incidents/${id}/delivered`, { deliveries });
    const told = { at: new Date(), channel: 'sms', outcome: 'delivered' };
    expect((await deliver([{ ...told, subjectId: indian }])).status).toBe(204);
    expect((await deliver([{ ...told, subjectId: french, outcome: 'failed' }])).status).toBe(204);
    // What failed may be tried again; who was told stays told.
    ok(await deliver([{ ...told, subjectId: indian, outcome: 'failed' }]));
    const stranger = await deliver([
      { ...told, subjectId: french },
      { ...told, subjectId: await subjectOf('EU-GDPR') },
    ]);
    expect(stranger.body.code).toBe('affected_subject_unknown');
    const report = ok(await officer.get(at(id, '/delivery')));
    expect(report).toMatchObject({ pending: 0, handedOver: 0, delivered: 1, failed: 1 });
    expect(ok(await officer.get(at(id, '/delivery?state=delivered'))).items).toMatchObject([
      { subjectId: indian, channel: 'sms', handedAt: expect.any(String), endedAt: told.at.toISOString() },
    ]);
    const csv = String(ok(await officer.get(at(id, '/delivery.csv'))));
    expect(csv).toMatch(new RegExp(`^${indian},[0-9a-f-]+,IN-DPDP,delivered,.*,sms\\r$`, 'm'));
    // The authority is told how many were told.
    const { items } = ok(await officer.get(at(id, '/texts?duty=authority_detailed&jurisdiction=IN-DPDP')));
    expect(items[0].text).toContain('Data Principals: 1 / 1');
  });

  test('by webhook, one message for each, and the report knows which the client has accepted', async () => {
    const receiver = await WebhookReceiver.start();
    const own = another();
    ok(await own.post('/v1/webhooks', { url: receiver.url }));
    const people = await Promise.all([1, 2, 3].map(() => subjectOf('EU-GDPR', own)));
    const id = await releasedIncident(officer, people);
    expect(ok(await officer.get(at(id, '/delivery')))).toMatchObject({ pending: 3, handedOver: 0 });
    await stack.startWorker();
    await expect
      .poll(async () => ok(await officer.get(at(id, '/delivery'))).handedOver, { timeout: 30_000 })
      .toBe(3);
    await stack.worker?.stop();
    const messages = receiver.received.map(({ body }) => body);
    expect(messages.map(({ type }) => type)).toEqual(Array(3).fill('incident.notify_person'));
    expect(new Set(messages.map(({ data }) => data.subjectId))).toEqual(new Set(people));
    expect(Object.keys(messages[0].data).toSorted()).toEqual(['incidentId', 'jurisdiction', 'subjectId']);
    const logged = await loggedOf(id);
    const handed = logged.filter(({ type }) => type === 'incident.notices_handed_over');
    expect(handed.reduce((sum, { details }) => sum + details.handed, 0)).toBe(3);
    await receiver.stop();
  });
});

test('a gallery without anybody enrolled affects nobody, and enrolling is no comparison', async () => {
  const gallery = await createGallery(client);
  const { id } = await openIncident(officer);
  const none = ok(await officer.post(at(id, '/affected'), { galleryId: gallery }));
  expect([none.subjects, none.duties]).toEqual([0, []]);
  const { subjectId } = await consentingSubject(client);
  ok(await enrol(client, gallery, subjectId, embedding(9)));
  const filter = { galleryId: gallery, matchedFrom: hoursAgo(1) };
  expect(ok(await officer.post(at(id, '/affected'), filter)).subjects).toBe(0);
});
