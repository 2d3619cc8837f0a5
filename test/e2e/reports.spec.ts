import { writeCsv } from '#platform/csv';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#platform/ids';
import { NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  PURPOSE,
  verify,
} from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let officer: TestClient;
let clientId: string;
let galleryId: string;

const YEAR = {
  from: `${new Date().getUTCFullYear()}-01-01T00:00:00Z`,
  to: `${new Date().getUTCFullYear() + 1}-01-01T00:00:00Z`,
};
const KINDS = ['consents', 'enrolments', 'matches', 'refusals', 'cases', 'openings'] as const;

beforeAll(async () => {
  stack = await Stack.start();
  const credentials = createCredentials(stack);
  clientId = credentials.clientId;
  client = await TestClient.connect(stack.url, credentials);
  officer = await TestClient.create(stack, 'admin:compliance admin:audit');
  galleryId = await createGallery(client);
});

afterAll(() => stack.stop());

async function report(kind: string, filter: Readonly<Record<string, string>> = {}): Promise<Json> {
  return ok(await officer.get(`/v1/admin/reports/${kind}?${new URLSearchParams({ ...YEAR, ...filter })}`));
}

/** The only row of the interval that holds this moment, without its interval. */
async function now(kind: string, filter: Readonly<Record<string, string>> = {}): Promise<Json[]> {
  const { rows } = await report(kind, filter);
  const moment = new Date().toISOString();
  return rows
    .filter(({ from, to }: Json) => from <= moment && moment < to)
    .map(({ from: _from, to: _to, ...figures }: Json) => figures);
}

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
const total = (rows: Json[], column: string): number => rows.reduce((all, row: Json) => all + row[column], 0);
const sum = (lines: Json[]): number => lines.reduce((all, { count }: Json) => all + count, 0);
const bounds = ({ rows }: Json): string[][] => rows.map(({ from, to }: Json) => [from, to]);

describe('what was done is counted', () => {
  test('consents: what happened in each interval, and what was open at its end', async () => {
    const people = [];
    for (let i = 0; i < 3; i++) people.push(await consentingSubject(client, 'audit'));
    ok(await client.post(`/v1/consents/${people[0]?.consentId}/withdraw`));
    const figures = {
      purpose: 'audit',
      granted: 3,
      renewed: 0,
      withdrawn: 1,
      expired: 0,
      refused: 0,
      open: 2,
    };
    expect(await now('consents', { purpose: 'audit' })).toEqual([figures]);
    // Given two months ago, it is open at the end of each month since.
    const past = people[1]?.consentId;
    await stack.owner.query(`UPDATE consent SET granted_at = now() - interval '62 days' WHERE id = $1`, [
      past,
    ]);
    const since = new Date(Date.now() - 70 * 86_400_000).toISOString();
    const until = new Date(Date.now() + 1_000).toISOString();
    const { rows } = await report('consents', { purpose: 'audit', from: since, to: until, interval: 'day' });
    const open = rows.map((row: Json) => row.open);
    expect(open.at(0)).toBe(0);
    expect(open.at(-1)).toBe(2);
    expect(open.filter((n: number) => n === 1).length).toBeGreaterThan(55);
    // And one that ran out counts as closed from then on, whether or not its end was recorded.
    await stack.owner.query(`UPDATE consent SET expires_at = now() - interval '30 days' WHERE id = $1`, [
      past,
    ]);
    const later = await report('consents', { purpose: 'audit', from: since, to: until, interval: 'day' });
    expect(later.rows.at(-3).open).toBe(0);
  });

  test('enrolments, matches and openings: by purpose, done and refused', async () => {
    const [one, two] = [embedding(11), embedding(12)];
    const person = await enrolledPerson(client, galleryId, one);
    const stranger = await consentingSubject(client);
    expect((await enrol(client, galleryId, person.subjectId, [1, 2])).status).toBe(422);
    ok(await verify(client, galleryId, person.subjectId, one));
    ok(await verify(client, galleryId, person.subjectId, two));
    expect((await verify(client, galleryId, stranger.subjectId, two)).status).toBe(404);
    ok(await identify(client, galleryId, one));
    ok(await identify(client, galleryId, two));
    ok(await identify(client, galleryId, two));
    expect(await now('enrolments')).toEqual([{ purpose: PURPOSE, enrolled: 1, refused: 1, erased: 0 }]);
    expect(await now('matches')).toEqual([
      { purpose: PURPOSE, kind: 'identification', matches: 1, noMatches: 2, refused: 0 },
      { purpose: PURPOSE, kind: 'verification', matches: 1, noMatches: 1, refused: 1 },
    ]);
    expect(await now('openings')).toEqual([
      { purpose: PURPOSE, kind: 'identification', openings: 3 },
      { purpose: PURPOSE, kind: 'verification', openings: 2 },
    ]);
  });

  test('a search that names several persons is several matches and one opening', async () => {
    const face = embedding(31);
    for (let i = 0; i < 3; i++) await enrolledPerson(client, galleryId, face);
    const before = await now('openings', { clientId });
    expect(ok(await identify(client, galleryId, face, 3)).candidates).toHaveLength(3);
    const [{ openings }] = await now('openings', { clientId });
    expect(openings).toBe(before[0].openings + 1);
    expect((await now('matches'))[0].matches).toBe(4);
  });

  test('refusals: by decision and code', async () => {
    expect(await now('refusals')).toEqual(
      expect.arrayContaining([
        { purpose: PURPOSE, decision: 'subject.verified', code: 'subject_not_enrolled', refused: 1 },
      ]),
    );
  });

  test('cases: opened and answered in each interval, by kind, with the days that the answer took', async () => {
    const { subjectId } = await consentingSubject(client, 'authentication');
    const open = async (kind: string, answered: string | null, days: number): Promise<void> => {
      const made = await stack.owner.query(
        `INSERT INTO rights_case (id, client_id, subject_id, kind, channel, jurisdiction, policy_revision, state, opened_at, due_at)
         VALUES ($5, $1, $2, $3, 'api', 'EU-GDPR', 1, 'open', now() - make_interval(days => $4::int),
           now() - make_interval(days => $4::int - 30)) RETURNING id`,
        [clientId, subjectId, kind, days, newId<'case'>()],
      );
      if (answered === null) return;
      await stack.owner.query(
        `INSERT INTO case_transition (id, case_id, state, due_at) VALUES ($1, $2, $3, now())`,
        [newId<'case-transition'>(), made.rows[0].id, answered],
      );
    };
    await open('access', 'fulfilled', 10);
    await open('access', 'fulfilled', 40);
    await open('erasure', 'refused', 3);
    await open('grievance', null, 0);
    const span = { from: new Date(Date.now() - 20 * 86_400_000).toISOString(), interval: 'month' };
    const found = (await report('cases', { ...span, clientId })).rows;
    const of = (kind: string, state: string): Json[] =>
      found.filter((row: Json) => row.kind === kind && row.state === state);
    // One was opened before the report begins.
    expect([sum(of('access', 'opened')), sum(of('grievance', 'opened'))]).toEqual([1, 1]);
    expect(of('access', 'fulfilled')).toMatchObject([
      { count: 2, late: 1, averageDays: 25, longestDays: 40 },
    ]);
    expect(of('erasure', 'refused')).toMatchObject([{ count: 1, late: 0, averageDays: 3 }]);
    expect((await report('cases', { ...span, jurisdiction: 'IN-DPDP' })).rows).toEqual([]);
  });

  test('what was written down late counts for the day that it is of, in a report that ends before it was', async () => {
    const past = { from: daysAgo(400), to: daysAgo(300), interval: 'month', clientId };
    const purpose = 'late_entries';
    const subjectId = ok(await client.post('/v1/subjects', {})).id;
    const notice = { purpose, ...NOTICE };
    const noticeId = ok(await client.post('/v1/notices', notice)).id;
    const evidence = { method: 'signature', at: daysAgo(350) };
    ok(await client.post('/v1/consents', { subjectId, purpose, noticeId, evidence }));
    const letter = { subjectId, kind: 'access', channel: 'letter', purpose, receivedAt: daysAgo(320) };
    ok(await client.post('/v1/rights-requests', letter));

    const consents = (await report('consents', { ...past, purpose })).rows;
    expect([total(consents, 'granted'), consents.at(-1)?.open]).toEqual([1, 1]);
    const cases = (await report('cases', past)).rows;
    expect(cases.map(({ kind, state, count }: Json) => [kind, state, count])).toEqual([
      ['access', 'opened', 1],
    ]);
    const later = { from: daysAgo(300), purpose };
    expect(total((await report('consents', later)).rows, 'granted')).toBe(0);
    expect((await report('cases', { ...later, clientId })).rows).toEqual([]);
    expect((await report('cases', { ...past, jurisdiction: 'IN-DPDP' })).rows).toEqual([]);
  });

  test('for one client, purpose or jurisdiction alone, where that is asked', async () => {
    const none = createCredentials(stack).clientId;
    for (const kind of ['enrolments', 'matches', 'openings', 'consents']) {
      expect((await report(kind, { clientId: none })).rows).toEqual([]);
      expect((await report(kind, { purpose: 'never_heard_of' })).rows).toEqual([]);
      expect((await report(kind, { jurisdiction: 'IN-DPDP' })).rows).toEqual([]);
    }
    expect((await now('matches', { jurisdiction: 'EU-GDPR', clientId, purpose: PURPOSE })).length).toBe(2);
  });

  test('of an erased person the audit log counts nothing any more, and the report says how much was forgotten', async () => {
    const face = embedding(21);
    const { subjectId } = await enrolledPerson(client, galleryId, face);
    ok(await verify(client, galleryId, subjectId, face));
    const [before, forgotten] = [await now('matches'), (await report('matches')).forgottenEntries];
    ok(await client.delete(`/v1/subjects/${subjectId}`));
    const after = await now('matches');
    expect(after[1].matches).toBe(before[1].matches - 1);
    expect((await report('matches')).forgottenEntries).toBeGreaterThan(forgotten + 2);
    // Facts of consents stay.
    expect((await now('consents', { purpose: PURPOSE }))[0].withdrawn).toBe(1);
  });
});

describe('the intervals of a report', () => {
  test('are cut to what was asked for, days, weeks from Monday or months of UTC', async () => {
    const span = { from: '2026-01-15T06:00:00Z', to: '2026-03-03T12:00:00Z', purpose: 'audit' };
    await stack.owner.query(`UPDATE consent SET granted_at = '2025-12-01' WHERE purpose = 'audit'`);
    expect(bounds(await report('consents', { ...span, interval: 'month' }))).toEqual([
      ['2026-01-15T06:00:00.000Z', '2026-02-01T00:00:00.000Z'],
      ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
      ['2026-03-01T00:00:00.000Z', '2026-03-03T12:00:00.000Z'],
    ]);
    const weeks = bounds(await report('consents', { ...span, interval: 'week' }));
    expect(weeks.slice(1, -1).every(([from = '']) => new Date(from).getUTCDay() === 1)).toBe(true);
    expect(bounds(await report('consents', { ...span, interval: 'day' })).length).toBe(48);
  });

  test.each([
    ['that end before they begin', { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
    ['that are none', { from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }],
    ['that are too many', { from: '2000-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z', interval: 'day' }],
  ])('%s are refused, and it says what to ask for instead', async (_what, span) => {
    const refused = await officer.get(`/v1/admin/reports/matches?${new URLSearchParams(span)}`);
    expect([refused.status, refused.body.code]).toEqual([422, 'report_span_invalid']);
  });

  test('must be named', async () => {
    expect((await officer.get('/v1/admin/reports/matches')).body.code).toBe('invalid_request');
    expect((await officer.get(`/v1/admin/reports/salaries?${new URLSearchParams(YEAR)}`)).status).toBe(400);
  });
});

describe('as CSV', () => {
  test.each(KINDS)('the report of %s says the same as JSON', async (kind) => {
    const query = `${kind}?${new URLSearchParams({ ...YEAR, interval: 'week' })}`;
    const { columns, rows } = ok(await officer.get(`/v1/admin/reports/${query}`));
    const headers = { authorization: `Bearer ${officer.token}`, accept: 'text/csv' };
    const asked = await fetch(`${stack.url}/v1/admin/reports/${query}`, { headers });
    expect(asked.headers.get('content-type')).toContain('text/csv');
    expect(asked.headers.get('content-disposition')).toBe('attachment; filename="report.csv"');
    const text = await asked.text();
    expect(text.endsWith('\r\n')).toBe(true);
    const [head = [], ...lines] = parse(text);
    expect(head).toEqual(columns);
    const shown = (row: Json): string[] => columns.map((column: string) => String(row[column] ?? ''));
    expect(lines).toEqual(rows.map(shown));
    expect(ok(await officer.get(`/v1/admin/reports/${query}&format=csv`))).toBe(text);
  });

  test('any text comes back as it was, whatever it holds, and none is taken for a formula', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '\nx', 'a,b', '"', 'a\r\nb', ''),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ a: cell, b: cell }), { minLength: 1 }), (rows) => {
        const [, ...lines] = parse(writeCsv(['a', 'b'], rows), { record_delimiter: '\r\n' });
        for (const [i, line] of lines.entries()) {
          for (const [j, text] of line.entries()) {
            const given = rows[i]?.[j === 0 ? 'a' : 'b'] ?? '';
            expect(text).not.toMatch(/^[=+\-@\t\r\n]/);
            expect([given, `'${given}`]).toContain(text);
          }
        }
        expect(lines.length).toBe(rows.length);
      }),
    );
  });
});
