import { AuditLog } from '#audit/audit-log';
import { dataSourceOptions } from '#platform/data-source';
import { Policies } from '#policy/policies';
import { PolicyInvalid } from '#policy/policy.errors';
import { PublishPolicy, type PublishedPolicy, PublishPolicyHandler } from '#policy/publish-policy';
import { readFileSync } from 'node:fs';
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  grantConsent,
  identify,
  ok,
  type Person,
  PURPOSE,
  verify,
} from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { velum } from '../harness/operator.js';
import { WebhookReceiver } from '../harness/webhook-receiver.js';
import { createWebhook, lastDelivery } from '../harness/webhooks.js';

const DAY = 86_400_000;

let stack: Stack;
let client: TestClient;
let galleryId: string;
let db: DataSource;
let faces = 0;

beforeAll(async () => {
  stack = await Stack.start({
    apis: 2,
    worker: true,
    env: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' },
  });
  client = await TestClient.create(stack);
  galleryId = await createGallery(client);
  db = await new DataSource(dataSourceOptions(stack.urls.app, 'velum-test')).initialize();
  await jurisdiction('XX-TWODAYS', { afterEnd: 'P2D', afterErasureRequest: 'P2D' });
  await jurisdiction('XX-AWAY', { inactivity: 'P3Y', noticeBeforeErasure: 'PT48H' });
  await jurisdiction('XX-BOTH', { afterEnd: 'P2D', inactivity: 'P3Y', noticeBeforeErasure: 'PT48H' });
  await jurisdiction('XX-SILENT', { inactivity: 'P3Y' });
});

afterAll(async () => {
  await db.destroy();
  await stack.stop();
});

/** Puts a policy in force as officers do once two of them agree. */
function publish(document: unknown): Promise<PublishedPolicy> {
  const handler = new PublishPolicyHandler(new Policies(), new AuditLog(db));
  return db.transaction((tx) => handler.execute(new PublishPolicy(tx, document)));
}

/** Adds a jurisdiction as data: the one of the EU under another name, but for these times. */
async function jurisdiction(code: string, times: Readonly<Record<string, string>>): Promise<void> {
  const document: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
  for (const [rule, value] of Object.entries(times)) {
    document.retention[rule] = { value, source: `${code} section 7` };
  }
  expect(await publish({ ...document, code })).toMatchObject({ jurisdiction: code });
}

interface Enrolled extends Person {
  readonly templateId: string;
  readonly face: readonly number[];
}

async function enrolledUnder(code: string, reference?: string): Promise<Enrolled> {
  const subjectId = ok(await client.post('/v1/subjects', { jurisdiction: code, reference })).id;
  const consentId = await grantConsent(client, subjectId);
  const face = embedding(++faces);
  const templateId = ok(await enrol(client, galleryId, subjectId, face)).id;
  return { subjectId, consentId, templateId, face };
}

const withdraw = (consentId: string): Promise<Answer> => client.post(`/v1/consents/${consentId}/withdraw`);
const erase = (subjectId: string): Promise<Answer> => client.delete(`/v1/subjects/${subjectId}`);

async function count(sql: string, ...values: unknown[]): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT count(*)::int AS n ${sql}`, values);
  return rows[0].n;
}

const held = (subjectId: string): Promise<number> =>
  count(
    'FROM held_template t JOIN destruction d ON d.id = t.destruction_id WHERE d.subject_id = $1',
    subjectId,
  );
const stored = (subjectId: string): Promise<number> =>
  count('FROM template WHERE subject_id = $1', subjectId);
const entries = (subjectId: string, type: string): Promise<number> =>
  count('FROM audit_event WHERE subject_id = $1 AND type = $2', subjectId, type);
const destroyedRecords = (subjectId: string): Promise<number> =>
  count(
    `FROM audit_event e JOIN destruction d ON d.id = (e.details->>'destructionId')::uuid
     WHERE d.subject_id = $1 AND e.type = 'data.destroyed'`,
    subjectId,
  );

/** As if that had been so long ago. */
async function passes(subjectId: string, interval: string): Promise<void> {
  await stack.owner.query(
    `UPDATE destruction SET since = since - $2::interval, due_at = due_at - $2::interval, told_at = told_at - $2::interval
     WHERE subject_id = $1`,
    [subjectId, interval],
  );
}

async function away(subjectId: string, interval: string): Promise<void> {
  for (const statement of [
    'UPDATE subject SET last_seen_at = last_seen_at - $2::interval WHERE id = $1',
    `UPDATE consent_fact SET at = at - $2::interval WHERE consent_id IN (SELECT id FROM consent WHERE subject_id = $1)`,
    'UPDATE template SET created_at = created_at - $2::interval WHERE subject_id = $1',
  ]) {
    await stack.owner.query(statement, [subjectId, interval]);
  }
}

/** The engine, as the worker runs it each minute. */
async function run(): Promise<void> {
  expect(await velum(stack.env, ['retention', 'run'])).toMatchObject({ code: 0, stderr: '' });
}

async function eventually(check: () => Promise<number>, expected: number): Promise<void> {
  await vi.waitFor(async () => expect(await check()).toBe(expected), { timeout: 20_000, interval: 50 });
}

async function dueOf(subjectId: string, before: Date): Promise<Json[]> {
  const found: Json[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: Json = ok(
      await client.get(`/v1/admin/retention/due?before=${before.toISOString()}${query}&limit=200`),
    );
    found.push(...page.items.filter((item: Json) => item.subjectId === subjectId));
    cursor = page.nextCursor;
  }
  return found;
}

/** By no call, on no replica. */
async function expectUnfound({ subjectId, face }: Enrolled): Promise<void> {
  for (const { url } of stack.apis) {
    expect([403, 404]).toContain((await verify(client.at(url), galleryId, subjectId, face)).status);
    expect(ok(await identify(client.at(url), galleryId, face, 5)).candidates).toEqual([]);
  }
}

describe('when a consent ends', () => {
  test('under the law of the EU what was made under it is destroyed at once, and no date is kept', async () => {
    const person = await enrolledUnder('EU-GDPR');
    ok(await withdraw(person.consentId));
    await eventually(() => stored(person.subjectId), 0);
    expect(await count('FROM destruction WHERE subject_id = $1', person.subjectId)).toBe(0);
    expect(await entries(person.subjectId, 'template.erased')).toBe(1);
  });

  test('under a law that was added as data it is held for two days, not searchable, and then destroyed', async () => {
    const person = await enrolledUnder('XX-TWODAYS');
    const before = Date.now();
    ok(await withdraw(person.consentId));
    await expectUnfound(person);
    await eventually(() => held(person.subjectId), 1);
    expect(await stored(person.subjectId)).toBe(0);

    const [due] = await dueOf(person.subjectId, new Date(Date.now() + 3 * DAY));
    expect(due).toMatchObject({
      consentId: person.consentId,
      purpose: PURPOSE,
      rule: 'afterEnd',
      jurisdiction: 'XX-TWODAYS',
      revision: 1,
      source: 'XX-TWODAYS section 7',
      onHold: false,
    });
    expect(Date.parse(due.dueAt) - 2 * DAY).toBeGreaterThanOrEqual(before - 1_000);
    expect(await dueOf(person.subjectId, new Date(Date.now() + DAY))).toEqual([]);

    await passes(person.subjectId, '47 hours');
    await run();
    expect(await held(person.subjectId)).toBe(1);
    await passes(person.subjectId, '61 minutes');
    await run();
    expect(await held(person.subjectId)).toBe(0);
    expect(await destroyedRecords(person.subjectId)).toBe(1);
    expect(await entries(person.subjectId, 'template.erased')).toBe(1);
    await run();
    expect(await destroyedRecords(person.subjectId)).toBe(1);
    const [last] = ok(await client.get('/v1/admin/retention/runs')).items;
    expect(last.counts).toContainEqual({
      jurisdiction: 'XX-TWODAYS',
      purpose: PURPOSE,
      rule: 'afterEnd',
      destroyed: 1,
      templates: 1,
    });
  });

  test('a new consent does not bring held templates back, and a later policy moves no date', async () => {
    const person = await enrolledUnder('XX-TWODAYS');
    ok(await withdraw(person.consentId));
    await eventually(() => held(person.subjectId), 1);
    await grantConsent(client, person.subjectId);
    expect((await verify(client, galleryId, person.subjectId, person.face)).body.code).toBe(
      'subject_not_enrolled',
    );
    expect(ok(await client.get(`/v1/galleries/${galleryId}/subjects/${person.subjectId}/templates`))).toEqual(
      [],
    );

    const date = `SELECT due_at FROM destruction WHERE subject_id = '${person.subjectId}'`;
    const { rows: before } = await stack.owner.query(date);
    await jurisdiction('XX-TWODAYS', { afterEnd: 'P2D', afterErasureRequest: 'P2D' });
    await run();
    expect((await stack.owner.query(date)).rows).toEqual(before);
  });
});

describe('when a person asks to be erased', () => {
  test('where the law keeps the data, nobody finds them, and on the date everything is as after an erasure', async () => {
    const person = await enrolledUnder('XX-TWODAYS', 'held-1');
    const { subjectId } = person;
    const answer = await erase(subjectId);
    expect(answer.status).toBe(202);
    expect(Date.parse(answer.body.destroyAfter)).toBeGreaterThan(Date.now() + 2 * DAY - 60_000);
    await expectUnfound(person);
    expect((await client.get(`/v1/subjects/${subjectId}`)).status).toBe(404);
    expect(ok(await client.get('/v1/subjects?reference=held-1')).items).toEqual([]);
    // The name is free again.
    ok(await client.post('/v1/subjects', { reference: 'held-1' }));
    expect(await held(subjectId)).toBe(1);
    expect(await entries(subjectId, 'template.enrolled')).toBe(1);
    expect(
      await count("FROM erasure_journal WHERE type = 'subject.erased' AND subject_id = $1", subjectId),
    ).toBe(1);

    const again = await erase(subjectId);
    expect([again.status, again.body]).toEqual([202, answer.body]);

    await passes(subjectId, '2 days');
    await run();
    expect(await held(subjectId)).toBe(0);
    const { rows } = await stack.owner.query('SELECT reference, erased_at FROM subject WHERE id = $1', [
      subjectId,
    ]);
    expect(rows[0]).toMatchObject({ reference: null, erased_at: expect.any(Date) });
    expect(await count('FROM audit_event WHERE subject_id = $1', subjectId)).toBe(1);
    expect(await entries(subjectId, 'subject.erased')).toBe(1);
    expect(await destroyedRecords(subjectId)).toBe(1);
    expect((await erase(subjectId)).status).toBe(404);
  });

  test('the entries about somebody whose data is held are not forgotten before the rest', async () => {
    const { subjectId } = await enrolledUnder('XX-TWODAYS');
    await erase(subjectId);
    expect(
      await count('FROM subjects_left_in_audit_log(1000) AS left_one (id) WHERE id = $1', subjectId),
    ).toBe(0);
  });

  test('what the law keeps of an earlier consent is not destroyed early by it', async () => {
    const { subjectId, consentId } = await enrolledUnder('XX-TWODAYS');
    ok(await withdraw(consentId));
    await eventually(() => held(subjectId), 1);
    await stack.owner.query(`UPDATE subject SET jurisdiction = 'EU-GDPR' WHERE id = $1`, [subjectId]);
    expect((await erase(subjectId)).status).toBe(202);
    await run();
    expect(await held(subjectId)).toBe(1);
    await passes(subjectId, '2 days 1 minute');
    await run();
    expect(await held(subjectId)).toBe(0);
    // Of the consent's the person's erasure has forgotten, as all that names them.
    expect(await destroyedRecords(subjectId)).toBe(1);
    expect(await count('FROM audit_event WHERE subject_id = $1', subjectId)).toBe(1);
  });

  test('a bulk erasure says for each person when the data is destroyed', async () => {
    const kept = await enrolledUnder('XX-TWODAYS');
    const gone = await enrolledUnder('EU-GDPR');
    const input = linesOf([{ subjectId: kept.subjectId }, { subjectId: gone.subjectId }]);
    const job = ok(await startJob(client, galleryId, 'erase', input));
    await endedJob(client, job.id);
    const lines: Json[] = (await client.get(`/v1/jobs/${job.id}/results`)).body
      .trim()
      .split('\n')
      .map((line: string) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ subjectId: kept.subjectId, destroyAfter: expect.any(String) });
    expect(lines[1]).toMatchObject({ subjectId: gone.subjectId, rows: { templates: 0 } });
    await expectUnfound(kept);
    expect(await held(kept.subjectId)).toBe(1);
  });
});

const tryHold = (body: object): Promise<Answer> =>
  client.post('/v1/admin/holds', { reason: 'litigation', ...body });
const place = async (subjectId: string, more: object = {}): Promise<string> =>
  ok(await tryHold({ subjectId, ...more })).id;
const release = (id: string): Promise<Answer> => client.delete(`/v1/admin/holds/${id}`);

describe('a legal hold', () => {
  test('keeps what would be destroyed at once, unsearchable, until it is released', async () => {
    const person = await enrolledUnder('EU-GDPR');
    const { subjectId } = person;
    const id = await place(subjectId);
    expect(ok(await verify(client, galleryId, subjectId, person.face)).match).toBe(true);
    ok(await withdraw(person.consentId));
    await eventually(() => held(subjectId), 1);
    await expectUnfound(person);
    await run();
    expect(await held(subjectId)).toBe(1);
    expect((await dueOf(subjectId, new Date(Date.now() + DAY)))[0]).toMatchObject({ onHold: true });

    expect((await erase(subjectId)).status).toBe(202);
    await run();
    expect(await held(subjectId)).toBe(1);

    expect((await release(id)).status).toBe(204);
    expect((await release(id)).status).toBe(204);
    expect(await entries(subjectId, 'hold.released')).toBe(1);
    await run();
    expect(await held(subjectId)).toBe(0);
    expect(await count('FROM audit_event WHERE subject_id = $1', subjectId)).toBe(1);
  });

  test('on one consent keeps only what was made under that one, and ends by itself at its time', async () => {
    const person = await enrolledUnder('XX-TWODAYS');
    const { subjectId, consentId } = person;
    const until = new Date(Date.now() + DAY).toISOString();
    await place(subjectId, { consentId, until });
    ok(await withdraw(consentId));
    await eventually(() => held(subjectId), 1);
    const second = await grantConsent(client, subjectId);
    ok(await enrol(client, galleryId, subjectId, person.face));
    ok(await withdraw(second));
    await eventually(() => held(subjectId), 2);
    await passes(subjectId, '2 days 1 minute');
    await run();
    expect(await held(subjectId)).toBe(1);
    await stack.owner.query(`UPDATE legal_hold SET until = now() WHERE subject_id = $1`, [subjectId]);
    await run();
    expect(await held(subjectId)).toBe(0);
  });

  test('keeps a template, and a gallery, that their client would delete', async () => {
    const other = await createGallery(client);
    const { subjectId, face, templateId } = await enrolledUnder('EU-GDPR');
    ok(await enrol(client, other, subjectId, face));
    const id = await place(subjectId);
    const path = `/v1/galleries/${galleryId}/subjects/${subjectId}/templates/${templateId}`;
    expect((await client.delete(path)).body.code).toBe('template_on_hold');
    expect((await client.delete(`/v1/galleries/${other}`)).body.code).toBe('gallery_holds_data');
    const input = linesOf([{ subjectId, embedding: face }]);
    const job = ok(await startJob(client, other, `re-embed&replaces=${other}`, input)).id;
    expect(await endedJob(client, job)).toMatchObject({ done: 1 });
    expect(ok(await client.get(`/v1/galleries/${other}/subjects/${subjectId}/templates`))).toHaveLength(2);
    await release(id);
    expect((await client.delete(path)).status).toBe(204);
    expect((await client.delete(`/v1/galleries/${other}`)).status).toBe(204);
  });

  test.each(['template', 'gallery'])(
    'that comes while a %s is deleted is there first, or too late',
    async (what) => {
      const other = await createGallery(client);
      const { subjectId } = await enrolledUnder('EU-GDPR');
      const templateId = ok(await enrol(client, other, subjectId, embedding(++faces))).id;
      const path = what === 'gallery' ? '' : `/subjects/${subjectId}/templates/${templateId}`;
      const placing = await stack.owner.connect();
      await placing.query('BEGIN');
      await placing.query('SELECT 1 FROM gallery WHERE id = $1 FOR SHARE', [other]);
      const deletion = client.delete(`/v1/galleries/${other}${path}`);
      const waits = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await eventually(() => count(waits), 1);
      // Shares the gallery, and is not kept waiting by who waits for it.
      await place(subjectId);
      await placing.query('COMMIT');
      placing.release();
      expect((await deletion).body.code).toBe(what === 'gallery' ? 'gallery_holds_data' : 'template_on_hold');
      const type = what === 'gallery' ? 'gallery.destroyed' : 'template.erased';
      const refused = "FROM audit_event WHERE gallery_id = $1 AND type = $2 AND outcome = 'refused'";
      expect(await count(refused, other, type)).toBe(1);
    },
  );

  test.each(['template', 'gallery'])(
    'that comes once a %s is being deleted waits until it is gone',
    async (what) => {
      const other = await createGallery(client);
      const { subjectId } = await enrolledUnder('EU-GDPR');
      const templateId = ok(await enrol(client, other, subjectId, embedding(++faces))).id;
      const path = what === 'gallery' ? '' : `/subjects/${subjectId}/templates/${templateId}`;
      const deleting = await stack.owner.connect();
      await deleting.query('BEGIN');
      await deleting.query('LOCK TABLE template_removal IN ACCESS EXCLUSIVE MODE');
      const deletion = client.delete(`/v1/galleries/${other}${path}`);
      const waits = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await eventually(() => count(waits), 1);
      const placed = tryHold({ subjectId });
      await eventually(() => count(waits), 2);
      expect(await count('FROM legal_hold WHERE subject_id = $1', subjectId)).toBe(0);
      await deleting.query('COMMIT');
      deleting.release();
      expect([(await deletion).status, (await placed).status]).toEqual([204, 201]);
      expect(await count('FROM template WHERE gallery_id = $1', other)).toBe(0);
    },
  );

  test('is refused for nobody, for the consent of somebody else, and for a time that is over', async () => {
    const [one, other] = [await enrolledUnder('EU-GDPR'), await enrolledUnder('EU-GDPR')];
    expect((await tryHold({ subjectId: '019ac5c0-3c11-7a2e-b1d4-6f7e8d9c0a03' })).body.code).toBe(
      'nothing_to_hold',
    );
    expect((await tryHold({ subjectId: one.subjectId, consentId: other.consentId })).body.code).toBe(
      'nothing_to_hold',
    );
    expect((await tryHold({ subjectId: one.subjectId, until: '2020-01-01T00:00:00Z' })).body.code).toBe(
      'hold_ends_in_past',
    );
    expect(await count("FROM audit_event WHERE type = 'hold.placed' AND outcome = 'refused'")).toBe(3);
    await erase(one.subjectId);
    expect((await tryHold({ subjectId: one.subjectId })).body.code).toBe('nothing_to_hold');
  });
});

describe('somebody who is away for years', () => {
  test('is told of first, and loses nothing by coming back', async () => {
    const person = await enrolledUnder('XX-AWAY');
    const receiver = await WebhookReceiver.start();
    const webhook = await createWebhook(client, receiver.url);
    await away(person.subjectId, '3 years');
    expect((await dueOf(person.subjectId, new Date(Date.now() + 3 * DAY)))[0]).toMatchObject({
      rule: 'inactivity',
      noticedAt: null,
    });
    await run();
    await lastDelivery(client, webhook.id, { type: 'retention.notice_due', state: 'delivered' });
    const notice = receiver.received.at(-1)?.body;
    expect(notice.data.subjectId).toBe(person.subjectId);
    expect(Date.parse(notice.data.destroyAfter)).toBeGreaterThan(Date.now() + 47 * 3_600_000);

    ok(await verify(client, galleryId, person.subjectId, person.face));
    await stack.owner.query(
      "UPDATE destruction SET since = since - interval '2 days', due_at = now() WHERE subject_id = $1",
      [person.subjectId],
    );
    await run();
    expect(await entries(person.subjectId, 'destruction.cancelled')).toBe(1);
    expect(ok(await verify(client, galleryId, person.subjectId, person.face)).match).toBe(true);
    ok(await client.delete(`/v1/webhooks/${webhook.id}`));
    await receiver.stop();
  });

  test('is not destroyed while the notice is on its way, nor before its time', async () => {
    const person = await enrolledUnder('XX-AWAY');
    const { subjectId } = person;
    const receiver = await WebhookReceiver.start();
    receiver.answer = (response) => response.writeHead(503).end();
    const webhook = await createWebhook(client, receiver.url);
    await away(subjectId, '4 years');
    await run();
    await lastDelivery(client, webhook.id, { state: 'waiting', status: 503 });
    // 47 hours later, and then 49.
    await passes(subjectId, '47 hours');
    await away(subjectId, '47 hours');
    await run();
    expect(ok(await client.get(`/v1/consents/${person.consentId}`)).state).toBe('active');
    await passes(subjectId, '2 hours');
    await away(subjectId, '2 hours');
    await run();
    expect(ok(await client.get(`/v1/consents/${person.consentId}`)).state).toBe('active');
    await stack.owner.query(
      `UPDATE webhook_delivery SET state = 'given_up', ended_at = now() WHERE webhook_id = $1`,
      [webhook.id],
    );
    await run();
    // Given up: nobody was told, and the officer sees that it waits.
    expect(ok(await client.get(`/v1/consents/${person.consentId}`)).state).toBe('active');
    expect((await dueOf(subjectId, new Date()))[0]).toMatchObject({ toldAt: null, waitsForNotice: true });
    await stack.owner.query(
      `UPDATE webhook_delivery SET state = 'delivered', ended_at = now() - interval '49 hours' WHERE webhook_id = $1`,
      [webhook.id],
    );
    await run();
    expect(ok(await client.get(`/v1/consents/${person.consentId}`)).state).toBe('expired');
    expect([await stored(subjectId), await held(subjectId)]).toEqual([0, 0]);
    expect(await destroyedRecords(subjectId)).toBe(1);
    await expectUnfound(person);
    ok(await client.delete(`/v1/webhooks/${webhook.id}`));
    await receiver.stop();
  }, 120_000);

  test('is destroyed on the date of a withdrawal, whether or not the notice of before has arrived', async () => {
    const { subjectId, consentId } = await enrolledUnder('XX-BOTH');
    const receiver = await WebhookReceiver.start();
    receiver.answer = (response) => response.writeHead(503).end();
    const webhook = await createWebhook(client, receiver.url);
    await away(subjectId, '4 years');
    await run();
    await lastDelivery(client, webhook.id, { state: 'waiting', status: 503 });
    ok(await withdraw(consentId));
    await eventually(() => held(subjectId), 1);
    await passes(subjectId, '49 hours');
    await run();
    expect([await held(subjectId), await destroyedRecords(subjectId)]).toEqual([0, 1]);
    ok(await client.delete(`/v1/webhooks/${webhook.id}`));
    await receiver.stop();
  });

  test('is destroyed without a notice where no law asks for one, but not while on hold', async () => {
    const person = await enrolledUnder('XX-SILENT');
    const { subjectId, consentId } = person;
    await away(subjectId, '2 years 364 days');
    await run();
    expect(await stored(subjectId)).toBe(1);
    const hold = await place(subjectId);
    await away(subjectId, '2 days');
    await run();
    await expectUnfound(person);
    expect(ok(await client.get(`/v1/consents/${consentId}`)).state).toBe('expired');
    expect(await held(subjectId)).toBe(1);
    ok(await release(hold));
    await run();
    expect(await held(subjectId)).toBe(0);
    expect(await destroyedRecords(subjectId)).toBe(1);
  });

  test('counts from the last match, which is written once a day', async () => {
    const { subjectId, face } = await enrolledUnder('XX-SILENT');
    await away(subjectId, '3 days');
    const seen = async (): Promise<Date> =>
      (await stack.owner.query('SELECT last_seen_at FROM subject WHERE id = $1', [subjectId])).rows[0]
        .last_seen_at;
    const before = await seen();
    expect(ok(await verify(client, galleryId, subjectId, embedding(9_999))).match).toBe(false);
    expect(await seen()).toEqual(before);
    ok(await verify(client, galleryId, subjectId, face));
    const first = await seen();
    expect(first.getTime()).toBeGreaterThan(before.getTime() + 2 * DAY);
    ok(await identify(client, galleryId, face));
    expect(await seen()).toEqual(first);
    await away(subjectId, '3 days');
    ok(await identify(client, galleryId, face));
    expect((await seen()).getTime()).toBeGreaterThanOrEqual(first.getTime());
  });
});

test('a policy that is put in force is on record, and one that is not valid is not put in force', async () => {
  await jurisdiction('XX-NEW', {});
  await jurisdiction('XX-NEW', { afterEnd: 'P9D' });
  const published = `FROM audit_event WHERE type = 'policy.published' AND details->>'jurisdiction' = 'XX-NEW'`;
  expect(await count(published)).toBe(2);
  const inForce = ok(await client.get('/v1/jurisdictions')).find(
    (each: Json) => each.jurisdiction === 'XX-NEW',
  );
  expect([inForce.revision, inForce.document.retention.afterEnd.value]).toEqual([2, 'P9D']);
  await expect(publish({ ...inForce.document, rights: 'all' })).rejects.toThrow(PolicyInvalid);
  expect(await count(published)).toBe(2);
});

describe('the public policy', () => {
  test('is there for everybody, as JSON and as a page, for every jurisdiction', async () => {
    for (const code of ['US-IL-BIPA', 'IN-DPDP', 'XX-TWODAYS']) {
      const url = `${stack.url}/policies/${code}/retention`;
      const json = await (await fetch(url)).json();
      expect(json.rules.map(({ rule }: Json) => rule)).toContain('inactivity');
      const page = await fetch(url, { headers: { accept: 'text/html,application/json;q=0.5' } });
      expect(page.headers.get('content-type')).toContain('text/html');
      const text = await page.text();
      expect(text).toContain(json.rules[0].source.replaceAll('"', '&quot;'));
    }
    const bipa = await (
      await fetch(`${stack.url}/policies/US-IL-BIPA/retention`, { headers: { accept: 'text/html' } })
    ).text();
    expect(bipa).toContain('<td>3 years</td><td>740 ILCS 14/15(a)');
    expect((await fetch(`${stack.url}/policies/XX-NOWHERE/retention`)).status).toBe(404);
  });

  test('cannot be used to put a script on the page', async () => {
    const document: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
    document.retention.logs.source = '<script>alert(1)</script>';
    await publish({ ...document, code: 'XX-SCRIPT' });
    const page = await fetch(`${stack.url}/policies/XX-SCRIPT/retention`, {
      headers: { accept: 'text/html' },
    });
    expect(await page.text()).not.toContain('<script');
  });
});

test('a dry run of the command prints what is due and destroys nothing', async () => {
  const { subjectId, consentId } = await enrolledUnder('XX-TWODAYS');
  ok(await withdraw(consentId));
  await eventually(() => held(subjectId), 1);
  await passes(subjectId, '3 days');
  // As ./deploy.sh velum has it, which is told of no custody.
  const { CUSTODIAN_DATABASE_URL: _, ...env } = stack.env;
  const { code, stdout } = await velum(env, ['retention', 'run', '--dry-run']);
  expect(code).toBe(0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line): Json => JSON.parse(line));
  expect(lines.find((line) => line.subjectId === subjectId)).toMatchObject({ rule: 'afterEnd' });
  expect(await held(subjectId)).toBe(1);
});
