import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { CustodianUnavailable } from '#custody/custody.errors';
import type { ScoresPart } from '#custody/key-custodian';
import { asScore, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { parseCustodianClient } from '#platform/custodian-config';
import { asId, newId } from '#platform/ids';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner } from '../../infra/dev/database.js';
import { freePort } from '../../infra/dev/ports.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { matched, placesOf } from '../harness/matching.js';
import { Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import {
  consentingPeople,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  type Person,
  verify,
} from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

const TIMEOUT_MS = 2_000;
const MOST_CALLS = 8;

let stack: Stack;
let client: TestClient;
let custodian: AppProcess;
let port: string;
let gallery: string;
let person: Person;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  port = String(await freePort());
  custodian = await stack.startCustodian(port);
  await stack.startApi({
    ...stack.custody('velum_app'),
    CUSTODIAN_TIMEOUT_MS: String(TIMEOUT_MS),
    CUSTODIAN_MOST_CALLS: String(MOST_CALLS),
  });
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  person = await enrolledPerson(client, gallery, embedding(1));
});

afterAll(() => stack.stop());

test('a custodian that is killed under load costs no answer but 503, and all works as soon as it is back', async () => {
  const people = await consentingPeople(client, 60);
  const answers: Answer[] = [];
  const over = new AbortController();
  const keepOn = async (call: (i: number) => Promise<Answer>): Promise<void> => {
    for (let i = 0; !over.signal.aborted; i++) answers.push(await call(i));
  };
  const load = [
    ...[0, 1, 2, 3, 4, 5].map((n) => {
      // A person has so many templates and no more: then the next one's turn comes.
      const own = people.slice(n * 10, (n + 1) * 10);
      return keepOn(async (i) => {
        for (;;) {
          const [next] = own;
          if (next === undefined) throw new Error('nobody is left to enrol');
          const answer = await enrol(client, gallery, next.subjectId, embedding(100 + n * 1_000 + i));
          if (answer.status !== 409) return answer;
          own.shift();
        }
      });
    }),
    keepOn(() => verify(client, gallery, person.subjectId, embedding(1))),
    keepOn(() => identify(client, gallery, embedding(1))),
  ];
  const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
  for (let round = 1; round <= 3; round++) {
    const [worked, refused] = [count(201), count(503)];
    await expect.poll(() => count(201), { interval: 5, timeout: 20_000 }).toBeGreaterThan(worked + 5);
    await custodian.stop('SIGKILL');
    await expect.poll(() => count(503), { interval: 5, timeout: 20_000 }).toBeGreaterThan(refused + 5);
    expect(await readiness()).toEqual([503, [{ field: 'engine', message: 'down' }]]);
    custodian = await stack.startCustodian(port);
    const back = performance.now();
    await verifies();
    expect(performance.now() - back).toBeLessThan(3_000);
  }
  over.abort();
  await Promise.all(load);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201, 503]));
  for (const { status, body, headers } of answers) {
    if (status !== 503) continue;
    expect([body.code, headers.get('retry-after')]).toEqual(['custodian_unavailable', '2']);
  }
  expect((await readiness())[0]).toBe(200);
  // What was given and what was enrolled: no slot twice, and none beyond those given.
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS templates, count(DISTINCT (segment_id, slot))::int AS slots,
            count(*) FILTER (WHERE slot >= s.used)::int AS free
     FROM template t JOIN custody.segment s ON s.id = t.segment_id WHERE t.gallery_id = $1`,
    [gallery],
  );
  expect(rows[0].slots).toBe(rows[0].templates);
  expect(rows[0].free).toBe(0);
  expect(rows[0].templates).toBeGreaterThanOrEqual(count(201) + 1);
}, 120_000);

test('a custodian that stands still holds nobody up for longer than the time-out, and nobody queues behind it', async () => {
  await verifies();
  custodian.kill('SIGSTOP');
  try {
    const started = performance.now();
    const first = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const { status } = await verify(client, gallery, person.subjectId, embedding(1));
        return { status, ms: performance.now() - started };
      }),
    );
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([503]));
    expect(first.filter(({ ms }) => ms > TIMEOUT_MS * 0.9).length).toBeLessThanOrEqual(MOST_CALLS);
    expect(Math.max(...first.map(({ ms }) => ms))).toBeLessThan(TIMEOUT_MS * 2);
    // From now on one call at a time finds out whether it is back.
    const again = performance.now();
    const later = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const { status } = await verify(client, gallery, person.subjectId, embedding(1));
        return { status, ms: performance.now() - again };
      }),
    );
    expect(new Set(later.map(({ status }) => status))).toEqual(new Set([503]));
    expect(later.filter(({ ms }) => ms > TIMEOUT_MS * 0.9).length).toBeLessThanOrEqual(1);
  } finally {
    custodian.kill('SIGCONT');
  }
  const back = performance.now();
  await verifies();
  expect(performance.now() - back).toBeLessThan(TIMEOUT_MS * 1.5);
  const metrics = await Metrics.of(stack.apis[0]?.internalUrl);
  const named = { call: 'openScores', outcome: 'CustodianUnavailable' };
  expect(metrics.value('velum_custodian_call_seconds_count', named)).toBeGreaterThanOrEqual(80);
});

test('a custodian too slow for the check whether it is ready is asked by all the same', async () => {
  const remote = remoteCustodian({ CUSTODIAN_TIMEOUT_MS: '30000' });
  custodian.kill('SIGSTOP');
  try {
    await expect(remote.ready()).rejects.toThrow(CustodianUnavailable);
    const asked = [remote.held(), remote.held(), remote.held()];
    custodian.kill('SIGCONT');
    await Promise.all(asked);
  } finally {
    custodian.kill('SIGCONT');
    remote.onApplicationShutdown();
  }
});

test('whoever matches for longer than the custodian may take is answered, and one that fails tells nothing of the custodian', async () => {
  const remote = remoteCustodian({ CUSTODIAN_TIMEOUT_MS: '2000' });
  try {
    const galleryId = asId<'gallery'>(gallery);
    const probe = quantiseProbe(embedding(1));
    const rows = await stack.owner.query('SELECT segment_id, slot, row FROM template WHERE subject_id = $1', [
      person.subjectId,
    ]);
    const sealed = rows.rows.map(({ segment_id, slot, row }) => ({
      segmentId: segment_id,
      slot,
      row: asRow(new Uint8Array(row), 128),
    }));
    const { c1, segments } = await matched(128, await remote.maskSeed(galleryId), sealed, probe);
    const slowly = async function* (): AsyncGenerator<ScoresPart> {
      await setTimeout(3_000);
      yield { c1, segments: [] };
      await setTimeout(3_000);
      yield { c1: undefined, segments };
    };
    const asked = { clientId: newId<'client'>(), galleryId, probe, threshold: asScore(1), limit: 1 };
    const about = { about: 'subject', places: placesOf(segments) } as const;
    expect(await remote.openScores({ ...about, ...asked }, slowly())).toHaveLength(1);
    const failing = async function* (): AsyncGenerator<ScoresPart> {
      yield { c1, segments: [] };
      throw new RangeError('of the matcher');
    };
    await expect(remote.openScores({ ...about, ...asked }, failing())).rejects.toThrow(RangeError);
    // Were the custodian in doubt now, one call at a time would be let through.
    await Promise.all([remote.held(), remote.held(), remote.held()]);
  } finally {
    remote.onApplicationShutdown();
  }
});

test('a custodian that cannot reach its database says so, is closed, and needs no help afterwards', async () => {
  const ready = `${custodian.internalUrl}/health/ready`;
  expect((await fetch(ready)).status).toBe(200);
  await limitConnections(0);
  expect((await fetch(ready)).status).toBe(503);
  const answer = await verify(client, gallery, person.subjectId, embedding(1));
  expect([answer.status, answer.body.code]).toEqual([503, 'custodian_unavailable']);
  await limitConnections(-1);
  await verifies();
  expect((await fetch(ready)).status).toBe(200);
});

test('a bulk enrolment waits for a custodian that is killed: each person is enrolled once, and no item has failed', async () => {
  const own = await createGallery(client);
  const people = await consentingPeople(client, 1_000);
  const worker = await stack.startWorker(stack.custody('velum_worker', custodian));
  const lines = people.map(({ subjectId }, i) => ({ subjectId, embedding: embedding(10_000 + i) }));
  await custodian.stop('SIGKILL');
  const { id } = ok(await startJob(client, own, 'enrol', linesOf(lines)));
  const unanswered = async (): Promise<number> => {
    const metrics = await Metrics.of(worker.internalUrl);
    const named = { call: 'seal', outcome: 'CustodianUnavailable' };
    return metrics.value('velum_custodian_call_seconds_count', named) ?? 0;
  };
  const enrolled = async (): Promise<number> => {
    const { rows } = await stack.owner.query(
      'SELECT count(*)::int AS n FROM template WHERE gallery_id = $1',
      [own],
    );
    return rows[0].n;
  };
  await expect.poll(unanswered, { timeout: 30_000 }).toBeGreaterThan(0);
  custodian = await stack.startCustodian(port);
  await expect.poll(enrolled, { interval: 1, timeout: 30_000 }).toBeGreaterThan(0);
  await custodian.stop('SIGKILL');
  custodian = await stack.startCustodian(port);
  expect(await endedJob(client, id, 120_000)).toMatchObject({ done: people.length, refused: 0, failed: 0 });
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS templates, count(DISTINCT subject_id)::int AS people,
            count(DISTINCT (segment_id, slot))::int AS slots FROM template WHERE gallery_id = $1`,
    [own],
  );
  const n = people.length;
  expect(rows[0]).toEqual({ templates: n, people: n, slots: n });
}, 180_000);

test('slots that were given when the custodian was killed are lost, and never given again', async () => {
  const own = await createGallery(client);
  const remote = remoteCustodian();
  const galleryId = asId<'gallery'>(own);
  const given = async (): Promise<number> => {
    const { rows } = await stack.owner.query(
      'SELECT coalesce(sum(used), 0)::int AS n FROM custody.segment WHERE gallery_id = $1',
      [own],
    );
    return rows[0].n;
  };
  const templates = Array.from({ length: 2_000 }, (_, i) => quantiseTemplate(embedding(i)));
  const [first] = await remote.seal(galleryId, templates.slice(0, 1));
  expect(first?.slot).toBe(0);
  const holder = await stack.owner.connect();
  await holder.query(`BEGIN; SELECT 1 FROM custody.segment WHERE gallery_id = '${own}' FOR UPDATE`);
  const sealing = remote.seal(galleryId, templates.slice(1)).catch((error: unknown) => error);
  await expect.poll(waitingForLocks, { timeout: 10_000 }).toBe(1);
  custodian.kill('SIGSTOP');
  await holder.query('COMMIT');
  holder.release();
  // Given in the database, and their rows not made yet.
  await expect.poll(given, { timeout: 10_000 }).toBe(2_000);
  await custodian.stop('SIGKILL');
  expect(await sealing).toBeInstanceOf(CustodianUnavailable);
  custodian = await stack.startCustodian(port);
  const [next] = await remote.seal(galleryId, templates.slice(0, 1));
  expect(next?.slot).toBe(2_000);
  expect(await given()).toBe(2_001);
  remote.onApplicationShutdown();
});

async function waitingForLocks(): Promise<number> {
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0].n;
}

function remoteCustodian(env: Readonly<Record<string, string>> = {}): RemoteKeyCustodian {
  const config = parseCustodianClient({ ...stack.custody('velum_worker', custodian), ...env }, []);
  if (config === undefined) throw new Error('no custodian was configured');
  return new RemoteKeyCustodian(config);
}

/** To the database, from now on; the custodian's are ended. */
function limitConnections(most: number): Promise<unknown> {
  return asOwner(new URL('/postgres', stack.urls.owner).toString(), async (owner) => {
    await owner.query(`ALTER DATABASE ${stack.database} CONNECTION LIMIT ${most}`);
    await owner.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'velum_custodian'",
      [stack.database],
    );
  });
}

/** Until a verification works. */
async function verifies(): Promise<void> {
  await expect
    .poll(async () => (await verify(client, gallery, person.subjectId, embedding(1))).body, {
      interval: 10,
      timeout: 20_000,
    })
    .toEqual({ match: true });
}

async function readiness(): Promise<[number, unknown]> {
  const response = await fetch(`${stack.url}/health/ready`);
  const body = await response.json();
  return [response.status, body.errors];
}
