import '../harness/property-seed.js';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { STORED_DECISIONS } from '../../apps/cli/audit/stored-decisions.js';
import { asOwner } from '../../infra/dev/database.js';
import { everythingSequenced } from '../harness/audit.js';
import { type Call, KINDS } from '../harness/consent-history.js';
import { ConsentWorld, PEOPLE, type Step } from '../harness/consent-world.js';
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres } from '../harness/debian-postgres.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { type Json, TestClient } from '../harness/test-client.js';

const CLIENTS = 2;
const REPLICAS = 2;
const SEED = fc.readConfigureGlobal()?.seed;
/** What a restore carries out again; matches meanwhile change nothing. Of a restriction it knows no case to lift it by. */
const ENDINGS = ['withdraw', 'eraseTemplate', 'eraseSubject', 'verify', 'identify'] as const;

/** For each actor, a replica's connection of a client, what it does: actors act at the same time. */
type Round = readonly (readonly Step[])[];

const round = (kinds: readonly Step['kind'][], longest: number): fc.Arbitrary<Round> => {
  const weights = { grant: 6, enrol: 6, verify: 6, identify: 6, withdraw: 2, arrive: 6, lift: 4 };
  const kind = fc.oneof(
    ...kinds.map((each) => ({
      weight: new Map(Object.entries(weights)).get(each) ?? 1,
      arbitrary: fc.constant(each),
    })),
  );
  const step = fc.record({ kind, who: fc.nat(PEOPLE - 1), short: fc.nat(4).map((n) => n === 0) });
  const actors = CLIENTS * REPLICAS;
  const steps = fc.array(step, { minLength: Math.ceil(longest / 2), maxLength: longest });
  return fc.array(steps, {
    minLength: actors,
    maxLength: actors,
  });
};
const script = fc.record({
  before: fc.array(round(KINDS, 12), { minLength: 8, maxLength: 8 }),
  afterBackup: round(ENDINGS, 4),
  after: fc.array(round(KINDS, 12), { minLength: 4, maxLength: 4 }),
});

const scratch = mkdtempSync(join(inject('services').scratch, 'consents-'));
const identity = join(scratch, 'identity.txt');
const restores = hasDebianPostgres || process.env['CI'] !== undefined;
let server: DebianPostgres | undefined;
let stack: Stack;
let token: TestClient[];
let worlds = 0;

beforeAll(async () => {
  if (restores) server = await startDebianPostgres(join(scratch, 'postgres'));
  const recipient = (await velum({}, ['backup', 'keygen', identity])).stdout.trim();
  const backups = {
    BACKUP_TARGET: join(scratch, 'target'),
    BACKUP_RECIPIENTS: recipient,
    BACKUP_JOURNAL_SECONDS: '1',
    PATH: `${server?.programs}:${process.env['PATH']}`,
  };
  const env = { RATE_LIMIT_CLIENT_PER_MINUTE: '1000000', RATE_LIMIT_IP_PER_MINUTE: '1000000' };
  stack = await Stack.start({
    apis: REPLICAS,
    worker: true,
    env: server === undefined ? env : { ...env, ...backups },
    ...(server === undefined ? {} : { server: server.url }),
  });
  token = [await TestClient.create(stack), await TestClient.create(stack)];
}, 180_000);

afterAll(async () => {
  await stack?.stop();
  server?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

test(`whatever several clients do at once, nobody is matched without a consent, and nothing that was answered is lost (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(script, async ({ before, afterBackup, after }) => {
      let people = await Promise.all(
        token.map((client) =>
          ConsentWorld.create(
            urls().map((url) => client.at(url)),
            ++worlds,
          ),
        ),
      );
      for (const each of before) await play(people, each);
      if (server !== undefined) {
        await everythingSequenced(stack);
        await operate('backup', 'run', '--identity', identity);
        await play(people, afterBackup);
        await loseAndRestore(server);
        people = people.map((world) => world.at(urls()));
        await hold(people);
      }
      for (const each of after) await play(people, each);
      await purge(people);
      const answers = people.flatMap(({ history }) => history.calls);
      expect(answers.filter((call) => (namedBy(call) ?? []).length > 0).length).toBeGreaterThan(20);
    }),
    // What went wrong once in a race is not found again by trying less of it.
    {
      numRuns: 1,
      endOnFailure: true,
      reporter: ({ failed, errorInstance }) => {
        if (failed) throw errorInstance;
      },
    },
  );
}, 180_000);

/** One more of each client is erased and held, then the dates of all come: nothing is left of them but their ids. */
async function purge(people: readonly ConsentWorld[]): Promise<void> {
  const erasure = { kind: 'eraseSubject', who: 1, short: false } as const;
  await play(
    people,
    Array.from({ length: CLIENTS * REPLICAS }, (_, i) => (i % REPLICAS === 0 ? [erasure] : [])),
  );
  const { rows: due } = await stack.owner.query(
    `UPDATE destruction SET since = now() - interval '1 day', due_at = now() - interval '1 second'
     WHERE destroyed_at IS NULL AND subject_id IN (SELECT id FROM subject WHERE erased_at IS NOT NULL)
     RETURNING subject_id`,
  );
  const ids = due.map(({ subject_id }) => subject_id);
  const answered = people.flatMap(({ history }) => history.calls);
  const held = answered.filter(({ kind, status }) => kind === 'eraseSubject' && status === 202);
  expect(held.length, 'nobody was held').toBeGreaterThan(0);
  expect(held.map(({ subjectId }) => subjectId).filter((id) => !ids.includes(id))).toEqual([]);
  const left = async (): Promise<Json[]> => {
    // The worker may be at some of them.
    await operate('retention', 'run');
    const { rows } = await stack.owner.query(
      `SELECT s.id FROM subject s WHERE s.id = ANY($1)
         AND (EXISTS (SELECT FROM held_template t JOIN consent c ON c.id = t.consent_id WHERE c.subject_id = s.id)
           OR EXISTS (SELECT FROM audit_event e WHERE e.subject_id = s.id AND (e.type <> 'subject.erased' OR e.outcome <> 'ok')))`,
      [ids],
    );
    return rows;
  };
  await expect.poll(left, { timeout: 60_000, interval: 500 }).toEqual([]);
}

/** Of the replicas that run now. */
function urls(): string[] {
  return stack.apis.map(({ url }) => url);
}

/** One round, all actors at once; then everything that was promised is looked for. */
async function play(people: readonly ConsentWorld[], actors: Round): Promise<void> {
  const known = people.map(({ history }) => history.calls.length);
  await Promise.all(
    people.flatMap((world, client) =>
      Array.from({ length: REPLICAS }, (_, replica) =>
        world.run(replica, actors[client * REPLICAS + replica] ?? []),
      ),
    ),
  );
  for (const [i, world] of people.entries()) await judge(world, world.history.calls.slice(known[i]));
  await hold(people);
}

/** Each answer of a round against what was answered before it and at the same time, and against its audit record. */
async function judge({ history }: ConsentWorld, calls: readonly Call[]): Promise<void> {
  const ids = calls.map(({ requestId }) => requestId);
  const { rows: records } = await stack.owner.query(
    'SELECT request_id, type, outcome, code, subject_id, details FROM audit_event WHERE request_id = ANY($1)',
    [ids],
  );
  history.learn(
    records
      .filter(({ type, outcome }) => type === 'template.enrolled' && outcome === 'ok')
      .map(({ details }) => details),
  );
  for (const call of calls) {
    expect(call.status, JSON.stringify(call)).toBeLessThan(500);
    const own = records.filter(({ request_id }) => request_id === call.requestId);
    // Whoever was erased at once has no records but that; one that was under way may have been forgotten, or come later.
    const forgotten = history
      .done('eraseSubject', call.subjectId)
      .some(({ ended, status }) => status === 204 && ended >= call.begun);
    const told = own.map(({ type, outcome, code }) => [type, outcome, code].filter(Boolean).join(' '));
    if (!forgotten || call.kind === 'eraseSubject')
      expect(told.toSorted(), JSON.stringify(call)).toEqual(expectedRecords(call, told).toSorted());
    if (call.kind === 'enrol' && call.status < 300)
      expect(history.restrictedDuring(call.subjectId, call), 'enrolled while restricted').toBe(false);
    const named = namedBy(call);
    if (named === undefined) continue;
    for (const subjectId of named) {
      expect(history.mayName(subjectId, call), `matched without a consent: ${JSON.stringify(call)}`).toBe(
        true,
      );
    }
    if (history.mustName(call.subjectId, call)) expect(named, JSON.stringify(call)).toContain(call.subjectId);
  }
}

/** Whom a match named; undefined for another call. */
function namedBy({ kind, status, body, subjectId }: Call): readonly string[] | undefined {
  if (kind === 'verify') return status === 200 && body.match === true ? [subjectId] : [];
  if (kind !== 'identify') return undefined;
  return body.candidates.map((candidate: Json) => candidate.subjectId);
}

/** What the audit log must have of an answer. */
function expectedRecords({ kind, status, body }: Call, told: readonly string[]): readonly string[] {
  const refusal = (type: string): string[] => [`${type} refused ${body.code}`];
  if (kind === 'arrive') return ['subject.registered ok'];
  if (kind === 'enrol') return status < 300 ? ['template.enrolled ok'] : refusal('template.enrolled');
  if (kind === 'verify') {
    return status < 300
      ? [`subject.verified ${body.match === true ? 'match' : 'no_match'}`]
      : refusal('subject.verified');
  }
  if (kind === 'identify') {
    const { length } = body.candidates;
    return length === 0
      ? ['gallery.identified no_match']
      : Array.from({ length }, () => 'gallery.identified match');
  }
  if (kind === 'eraseTemplate') return status < 300 ? ['template.erased ok'] : refusal('template.erased');
  if (kind === 'eraseSubject') {
    if (status >= 300) return refusal('subject.erased');
    // Of who is held the entries stay, and asking once more changes nothing.
    if (status === 202) return told.length === 0 ? [] : heldRecords(told);
    return ['subject.erased ok'];
  }
  // What stands in the way of a grant is ended by it; a consent that has ended is not withdrawn again.
  if (kind === 'grant')
    return status < 300
      ? told
          .filter((each) => each !== 'consent.granted ok')
          .slice(0, 1)
          .concat('consent.granted ok')
      : refusal('consent.granted');
  if (kind === 'renew') return status < 300 ? ['consent.renewed ok'] : refusal('consent.renewed');
  if (kind === 'restrict')
    return status < 300 ? ['case.opened ok', 'processing.restricted ok'] : refusal('case.opened');
  // One of several restrictions changes nothing, nor does that of somebody who is erased.
  if (kind === 'lift')
    return status < 300
      ? ['case.advanced ok', ...told.filter((each) => each === 'processing.resumed ok').slice(0, 1)]
      : refusal('case.advanced');
  if (status >= 300) return refusal('consent.withdrawn');
  // Too late for what had run out meanwhile.
  return told.filter((each) => each === 'consent.withdrawn ok' || each === 'consent.expired ok').slice(0, 1);
}

/** Of an erasure after which the law has data held: what ended and what is held by it, and each of these once. */
function heldRecords(told: readonly string[]): readonly string[] {
  const several = ['consent.withdrawn ok', 'consent.expired ok', 'template.held ok'];
  return ['destruction.scheduled ok', 'subject.erased ok', ...told.filter((each) => several.includes(each))];
}

/** With nothing under way: what was answered is in the database, and so is the record of whatever is there. */
async function hold(people: readonly ConsentWorld[]): Promise<void> {
  for (const { history } of people) {
    const standing = history.standing();
    const { rows } = await stack.owner.query('SELECT id FROM template WHERE id = ANY($1)', [standing]);
    // One may have run out since.
    const now = new Set(history.standing());
    const missing = standing.filter((id) => now.has(id) && !rows.some((row) => row.id === id));
    expect(missing, 'acknowledged templates are gone').toEqual([]);
    const { rows: open } = await stack.owner.query(
      `SELECT c.id FROM consent c WHERE c.id = ANY($1) AND (c.ended_at IS NULL OR 1 <>
         (SELECT count(*) FROM consent_fact f WHERE f.consent_id = c.id AND f.kind IN ('withdrawn', 'expired')))`,
      [history.endedConsents()],
    );
    expect(open, 'ended consents without their one end').toEqual([]);
    const granted = history.calls
      .filter(({ kind, status }) => kind === 'grant' && status < 300)
      .map(({ body }) => body.id);
    const { rows: facts } = await stack.owner.query(
      "SELECT consent_id FROM consent_fact WHERE kind = 'granted' AND consent_id = ANY($1)",
      [granted],
    );
    expect(facts).toHaveLength(granted.length);
    const erased = history.calls.filter(({ kind, status }) => kind === 'eraseSubject' && status < 300);
    const templates = history.calls.filter(({ kind, status }) => kind === 'eraseTemplate' && status < 300);
    const { rows: left } = await stack.owner.query(
      'SELECT id FROM template WHERE subject_id = ANY($1) OR id = ANY($2)',
      [erased.map(({ subjectId }) => subjectId), templates.map(({ templateId }) => templateId)],
    );
    expect(left, 'erased templates are there').toEqual([]);
    await heldUntilTheirDate(erased);
  }
  for (const { decision, missing } of STORED_DECISIONS) {
    expect((await stack.owner.query(missing)).rows, decision).toEqual([]);
  }
}

/** What the law keeps is kept, whatever else was erased: it is destroyed on its date alone. */
async function heldUntilTheirDate(erasures: readonly Call[]): Promise<void> {
  const held = erasures.filter(({ status }) => status === 202).map(({ subjectId }) => subjectId);
  const { rows } = await stack.owner.query(
    `SELECT s.id FROM unnest($1::uuid[]) AS s (id) WHERE NOT EXISTS (
       SELECT FROM destruction d WHERE d.subject_id = s.id AND d.consent_id IS NULL AND d.destroyed_at IS NULL)`,
    [held],
  );
  expect(rows, 'held data without a date').toEqual([]);
}

async function operate(...args: string[]): Promise<void> {
  expect(await velum(stack.env, args)).toMatchObject({ code: 0, stderr: '' });
}

/** The database is gone; what was erased since its backup had been shipped. */
async function loseAndRestore({ url }: DebianPostgres): Promise<void> {
  await vi.waitFor(
    async () => expect((await stack.owner.query('SELECT FROM erasure_journal')).rowCount).toBe(0),
    { timeout: 20_000, interval: 100 },
  );
  for (const app of stack.apis.splice(0)) await app.stop('SIGKILL');
  await stack.worker?.stop('SIGKILL');
  await asOwner(`${url}/postgres`, (db) => db.query(`DROP DATABASE ${stack.database} WITH (FORCE)`));
  await operate('restore', 'latest', '--identity', identity);
  await stack.startWorker();
  for (let i = 0; i < REPLICAS; i++) await stack.startApi();
}
