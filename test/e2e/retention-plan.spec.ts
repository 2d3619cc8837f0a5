import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, grantConsent, ok, type Person, PURPOSE } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

/** No worker runs but where a test starts one: what is due is what the dry run says, and nobody else destroys it. */
let stack: Stack;
let client: TestClient;
let faces = 0;
const galleries: Record<string, string> = {};
const OTHER = 'authentication';

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  for (const purpose of [PURPOSE, OTHER]) galleries[purpose] = await createGallery(client, { purpose });
  await jurisdiction('XX-TWODAYS', { afterEnd: 'P2D', afterErasureRequest: 'P2D' });
  await jurisdiction('XX-AWAY', { inactivity: 'P3Y', noticeBeforeErasure: 'PT48H' });
  await jurisdiction('XX-SILENT', { inactivity: 'P3Y' });
  await jurisdiction(
    'XX-PURPOSES',
    { afterEnd: 'P2D', inactivity: 'P3Y' },
    { [OTHER]: { afterEnd: 'P0D', inactivity: 'P1Y' } },
  );
});

afterAll(() => stack.stop());

type Times = Readonly<Record<string, string>>;
const rulesOf = (times: Times, source: string): Json =>
  Object.fromEntries(Object.entries(times).map(([rule, value]) => [rule, { value, source }]));

/** The one of the EU under another name, but for these times. */
async function jurisdiction(code: string, times: Times, byPurpose?: Record<string, Times>): Promise<void> {
  const document: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
  Object.assign(document, { code });
  Object.assign(document.retention, rulesOf(times, `${code} section 7`));
  if (byPurpose !== undefined) {
    document.retention.byPurpose = Object.fromEntries(
      Object.entries(byPurpose).map(([purpose, own]) => [purpose, rulesOf(own, `${code}, of ${purpose}`)]),
    );
  }
  await stack.owner.query('INSERT INTO jurisdiction_policy VALUES ($1, 1, $2)', [code, document]);
}

async function enrolledUnder(code: string, purpose = PURPOSE, known?: string): Promise<Person> {
  const subjectId = known ?? ok(await client.post('/v1/subjects', { jurisdiction: code })).id;
  const consentId = await grantConsent(client, subjectId, purpose);
  ok(await enrol(client, galleries[purpose] ?? '', subjectId, embedding(++faces)));
  return { subjectId, consentId };
}

async function away({ subjectId }: Person, interval: string): Promise<void> {
  for (const statement of [
    'UPDATE subject SET last_seen_at = last_seen_at - $2::interval WHERE id = $1',
    'UPDATE consent_fact SET at = at - $2::interval WHERE consent_id IN (SELECT id FROM consent WHERE subject_id = $1)',
    'UPDATE template SET created_at = created_at - $2::interval WHERE subject_id = $1',
  ]) {
    await stack.owner.query(statement, [subjectId, interval]);
  }
}

const lapsed = ({ consentId }: Person, interval: string): Promise<unknown> =>
  stack.owner.query('UPDATE consent SET expires_at = now() - $2::interval WHERE id = $1', [
    consentId,
    interval,
  ]);

/** As if all that is known of the person had been so long ago. */
async function passes(person: Person, interval: string): Promise<void> {
  await away(person, interval);
  await stack.owner.query(
    `UPDATE destruction SET since = since - $2::interval, due_at = due_at - $2::interval, told_at = told_at - $2::interval
     WHERE subject_id = $1`,
    [person.subjectId, interval],
  );
}

async function run(): Promise<void> {
  expect(await velum(stack.env, ['retention', 'run'])).toMatchObject({ code: 0, stderr: '' });
}

async function dryRun(): Promise<Json[]> {
  const { stdout } = await velum(stack.env, ['retention', 'run', '--dry-run']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Json => JSON.parse(line));
}

async function dueOf({ subjectId }: Person, before: string): Promise<Json[]> {
  const { items } = ok(await client.get(`/v1/admin/retention/due?before=${before}&limit=200`));
  return items.filter((item: Json) => item.subjectId === subjectId);
}

const idsOf = (ids: readonly string[]): string[] => ids.toSorted();

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

/** Consents under which something is kept, searchable or held. */
async function kept(): Promise<string[]> {
  const { rows } = await stack.owner.query(
    'SELECT consent_id AS id FROM template UNION SELECT consent_id FROM held_template ORDER BY 1',
  );
  return rows.map(({ id }) => id);
}

const control = async (id: string): Promise<Json> =>
  ok(await client.get('/v1/admin/records/controls')).controls.find((each: Json) => each.id === id);

/** What the worker does with messages, once. */
async function workerDoes(check: () => Promise<void>): Promise<void> {
  await stack.startWorker();
  await vi.waitFor(check, { timeout: 20_000, interval: 50 });
  await stack.worker?.stop();
}

test('a run destroys what the dry run just before it listed as due, and nothing else', async () => {
  const [untold, silent, held, waits, over, untouched] = [
    await enrolledUnder('XX-AWAY'),
    await enrolledUnder('XX-SILENT'),
    await enrolledUnder('XX-TWODAYS'),
    await enrolledUnder('XX-TWODAYS'),
    await enrolledUnder('XX-TWODAYS'),
    await enrolledUnder('EU-GDPR'),
  ];
  const [lapsedNow, lapsedSince, lapsedYesterday, restricted, back, ordered] = [
    await enrolledUnder('EU-GDPR'),
    await enrolledUnder('XX-TWODAYS'),
    await enrolledUnder('XX-TWODAYS'),
    await enrolledUnder('EU-GDPR'),
    await enrolledUnder('XX-SILENT'),
    await enrolledUnder('EU-GDPR'),
  ];
  for (const { consentId } of [held, waits]) ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  expect((await client.delete(`/v1/subjects/${over.subjectId}`)).status).toBe(202);
  await workerDoes(async () => {
    const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM held_template');
    expect(rows[0].n).toBe(3);
  });
  await passes(held, '3 days');
  await passes(over, '3 days');
  for (const person of [untold, silent, back]) await away(person, '3 years 6 days');
  await lapsed(lapsedNow, '1 minute');
  await lapsed(lapsedSince, '3 days');
  await lapsed(lapsedYesterday, '1 day');
  await lapsed(restricted, '1 minute');
  await stack.owner.query('UPDATE subject SET restricted_at = now() WHERE id = $1', [restricted.subjectId]);
  await lapsed(ordered, '1 minute');
  ok(await client.post('/v1/admin/holds', { subjectId: ordered.subjectId, reason: 'litigation' }));
  // A date of before, which this person has undone by being seen since.
  await stack.owner.query(
    `INSERT INTO destruction (id, client_id, subject_id, consent_id, rule, jurisdiction, revision, since, due_at)
     SELECT gen_random_uuid(), client_id, id, $2, 'inactivity', jurisdiction, 1, now() - interval '5 years', now()
     FROM subject WHERE id = $1`,
    [back.subjectId, back.consentId],
  );

  const listed = await dryRun();
  const due = listed.filter(({ onHold, waitsForNotice }) => !onHold && !waitsForNotice);
  expect(idsOf(listed.filter(({ onHold }) => onHold).map(({ subjectId }) => subjectId))).toEqual(
    idsOf([restricted, ordered].map(({ subjectId }) => subjectId)),
  );
  const before = await kept();
  await run();
  const after = await kept();
  const gone = before.filter((id) => !after.includes(id));
  const consents = due.map(({ consentId, subjectId }) =>
    consentId === null && subjectId === over.subjectId ? over.consentId : consentId,
  );
  expect(gone).toEqual(idsOf(consents));
  expect(gone).toEqual(
    [silent, held, over, lapsedNow, lapsedSince].map(({ consentId }) => consentId).toSorted(),
  );
  expect(after).toEqual(expect.arrayContaining([untouched.consentId, waits.consentId, back.consentId]));
});

test('a dry run for a time to come knows notices that are not given yet, and consents that will lapse', async () => {
  const [person, lapses] = [await enrolledUnder('XX-AWAY'), await enrolledUnder('XX-TWODAYS')];
  await away(person, '4 years');
  expect(await dueOf(person, inDays(1.9))).toEqual([]);
  const [due] = await dueOf(person, inDays(2.1));
  expect(due).toMatchObject({ rule: 'inactivity', noticedAt: null, toldAt: null });
  expect(Date.parse(due.dueAt)).toBeGreaterThan(Date.now() + 1.99 * 86_400_000);

  await stack.owner.query(`UPDATE consent SET expires_at = now() + interval '3 days' WHERE id = $1`, [
    lapses.consentId,
  ]);
  expect(await dueOf(lapses, inDays(4.9))).toEqual([]);
  const [later] = await dueOf(lapses, inDays(5.1));
  expect(later).toMatchObject({
    id: lapses.consentId,
    consentId: lapses.consentId,
    purpose: PURPOSE,
    rule: 'afterEnd',
    source: 'XX-TWODAYS section 7',
  });
});

describe('two purposes of one jurisdiction', () => {
  test('keep what was made under an ended consent for as long as each of them says', async () => {
    const doors = await enrolledUnder('XX-PURPOSES');
    const login = await enrolledUnder('XX-PURPOSES', OTHER, doors.subjectId);
    for (const { consentId } of [doors, login]) ok(await client.post(`/v1/consents/${consentId}/withdraw`));
    await workerDoes(async () => {
      expect(await kept()).not.toContain(login.consentId);
      const { rows } = await stack.owner.query('SELECT 1 FROM held_template WHERE consent_id = $1', [
        doors.consentId,
      ]);
      expect(rows).toHaveLength(1);
    });
    const due = await dueOf(doors, inDays(3));
    expect(due).toMatchObject([{ consentId: doors.consentId, source: 'XX-PURPOSES section 7' }]);
    const receipt = ok(await client.get(`/v1/consents/${login.consentId}/receipt`)).receipt;
    const [, payload = ''] = receipt.split('.');
    expect(Buffer.from(payload, 'base64url').toString()).toContain('"after_end":"P0D"');
  });

  test('have inactivities of their own: one ends after a year, the other goes on', async () => {
    const doors = await enrolledUnder('XX-PURPOSES');
    const login = await enrolledUnder('XX-PURPOSES', OTHER, doors.subjectId);
    await away(doors, '1 year 6 days');
    expect(await dueOf(doors, inDays(1))).toMatchObject([
      { consentId: login.consentId, purpose: OTHER, source: `XX-PURPOSES, of ${OTHER}` },
    ]);
    await run();
    expect(ok(await client.get(`/v1/consents/${login.consentId}`)).state).toBe('expired');
    expect(ok(await client.get(`/v1/consents/${doors.consentId}`)).state).toBe('active');
    expect(await kept()).toContain(doors.consentId);
    expect(await kept()).not.toContain(login.consentId);
  });

  test('are told apart by the public policy and the record of processing', async () => {
    const { rules } = await (await fetch(`${stack.url}/policies/XX-PURPOSES/retention`)).json();
    const times = (rule: string): Json[] =>
      rules
        .filter((each: Json) => each.rule === rule)
        .map(({ purpose, duration }: Json) => [purpose, duration]);
    expect(times('afterEnd')).toEqual([
      [null, 'P2D'],
      [OTHER, 'P0D'],
    ]);
    expect(times('afterErasureRequest')).toEqual([[null, 'P0D']]);
    await enrolledUnder('XX-PURPOSES', OTHER);
    const { clients } = ok(await client.get('/v1/admin/records/processing'));
    const { purposes } = clients.find((each: Json) => each.purposes.length > 0);
    const limits = (purpose: string): Json[] =>
      purposes
        .find((each: Json) => each.purpose === purpose)
        .timeLimits.filter((limit: Json) => limit.jurisdiction === 'XX-PURPOSES')
        .map(({ rule, limit }: Json) => [rule, limit]);
    expect(limits(OTHER)).toContainEqual(['After the end of the consent', 'P0D']);
    expect(limits(PURPOSE)).toContainEqual(['After the end of the consent', 'P2D']);
  });
});

test('the control map takes nothing for overdue that a restriction or a notice still keeps', async () => {
  const [restricted, untold] = [await enrolledUnder('EU-GDPR'), await enrolledUnder('XX-AWAY')];
  await lapsed(restricted, '1 minute');
  await stack.owner.query('UPDATE subject SET restricted_at = now() WHERE id = $1', [restricted.subjectId]);
  await away(untold, '4 years');
  await run();
  await passes(restricted, '2 hours');
  await passes(untold, '50 hours');
  expect((await control('A.8.10')).evidence.destructionsOverdue).toBe(0);
  expect((await control('A.8.10')).state).not.toBe('not_met');
  await stack.owner.query('UPDATE subject SET restricted_at = NULL WHERE id = $1', [restricted.subjectId]);
  expect(await control('A.8.10')).toMatchObject({ state: 'not_met', evidence: { destructionsOverdue: 1 } });
  await run();
});

const notices = async (who = client): Promise<Json[]> => ok(await who.get('/v1/erasure-notices')).items;
const state = async ({ consentId }: Person): Promise<string> =>
  ok(await client.get(`/v1/consents/${consentId}`)).state;

describe('a notice before an erasure', () => {
  test('that nobody has is waited for, visibly, until its client has read the list and the time since is as long as asked', async () => {
    const person = await enrolledUnder('XX-AWAY');
    await away(person, '4 years');
    await run();
    await passes(person, '50 hours');
    await run();
    expect(await state(person)).toBe('active');
    expect(await dueOf(person, inDays(0))).toMatchObject([{ toldAt: null, waitsForNotice: true }]);

    // Neither another client nor a HEAD, which shows nothing, tells anybody.
    expect(await notices(await TestClient.create(stack))).toEqual([]);
    await fetch(`${stack.url}/v1/erasure-notices`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${client.token}` },
    });
    expect(await dueOf(person, inDays(0))).toMatchObject([{ toldAt: null }]);

    const told = (await notices()).find(({ subjectId }) => subjectId === person.subjectId);
    expect(told).toMatchObject({ consentId: person.consentId, purpose: PURPOSE });
    expect(Date.parse(told?.destroyAfter)).toBeGreaterThan(Date.now() + 47.9 * 3_600_000);
    await run();
    expect(await state(person)).toBe('active');
    expect(await dueOf(person, inDays(0))).toMatchObject([
      { toldAt: expect.any(String), waitsForNotice: true },
    ]);
    await passes(person, '47 hours');
    await run();
    expect(await state(person)).toBe('active');
    await passes(person, '61 minutes');
    expect(await dueOf(person, inDays(0))).toMatchObject([{ waitsForNotice: false }]);
    await run();
    expect(await state(person)).toBe('expired');
    expect(await kept()).not.toContain(person.consentId);
    expect((await notices()).map(({ subjectId }) => subjectId)).not.toContain(person.subjectId);
  });
});
