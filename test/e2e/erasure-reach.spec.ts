import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import { inRestoredDatabase } from '../../apps/cli/backup/in-restored-database.js';
import { asOwner } from '../../infra/dev/database.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  grantConsent,
  identify,
  ok,
  verify,
} from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;

afterEach(async () => {
  vi.unstubAllEnvs();
  await stack.stop();
});

const spooled = (): string[] => (existsSync(stack.spoolFolder) ? readdirSync(stack.spoolFolder) : []);

test('an erasure reaches a job that waits: nobody is enrolled by it any more, and its file does not outlive it', async () => {
  stack = await Stack.start();
  const client = await TestClient.create(stack);
  const galleryId = await createGallery(client);
  const { subjectId } = await enrolledPerson(client, galleryId, embedding(1));
  const key = { 'idempotency-key': 'a-person' };
  const registered = ok(await client.post('/v1/subjects', { reference: 'staff-1' }, key)).id;
  await grantConsent(client, registered);
  const lines = linesOf([
    { subjectId, embedding: embedding(1) },
    { reference: 'staff-1', embedding: embedding(2) },
  ]);
  const job = ok(await startJob(client, galleryId, 'enrol', lines)).id;
  expect(spooled()).toHaveLength(1);
  expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
  expect((await client.delete(`/v1/subjects/${registered}`)).status).toBe(204);

  await stack.startWorker();
  expect(await endedJob(client, job)).toMatchObject({ state: 'ended', done: 0, refused: 2 });
  const { body } = await client.get(`/v1/jobs/${job}/results`);
  const codes = body
    .trim()
    .split('\n')
    .map((line: string) => JSON.parse(line).code);
  expect(codes).toEqual(['subject_not_found', 'subject_not_found']);
  await vi.waitFor(() => expect(spooled()).toEqual([]), { timeout: 10_000 });
  const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM template');
  expect(rows[0].n).toBe(0);

  // A retry that comes late does not bring the person back either.
  expect((await client.post('/v1/subjects', { reference: 'staff-1' }, key)).body.code).toBe(
    'subject_not_found',
  );
});

test('an erasure ends what a job of another kind may answer: its results name the person no more', async () => {
  stack = await Stack.start({ worker: true });
  const client = await TestClient.create(stack);
  const galleryId = await createGallery(client);
  const { subjectId } = await enrolledPerson(client, galleryId, embedding(1));
  const job = ok(await startJob(client, galleryId, 'identify', linesOf([{ embedding: embedding(1) }]))).id;
  await endedJob(client, job);
  const results = async (): Promise<string> => (await client.get(`/v1/jobs/${job}/results`)).body;
  expect(await results()).toContain(subjectId);
  await client.delete(`/v1/subjects/${subjectId}`);
  expect(await results()).not.toContain(subjectId);
});

test('a backup that is restored between the request and the destruction stays unsearchable, and keeps the date', async () => {
  stack = await Stack.start();
  const client = await TestClient.create(stack);
  const document: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
  document.retention.afterEnd = document.retention.afterErasureRequest = { value: 'P2D', source: 'a test' };
  await stack.owner.query("INSERT INTO jurisdiction_policy VALUES ('XX-TWODAYS', 1, $1)", [
    { ...document, code: 'XX-TWODAYS' },
  ]);
  const galleryId = await createGallery(client);
  const people: { subjectId: string; consentId: string }[] = [];
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const subjectId = ok(
      await client.post('/v1/subjects', { jurisdiction: seed >= 4 ? 'EU-GDPR' : 'XX-TWODAYS' }),
    ).id;
    const consentId = await grantConsent(client, subjectId);
    ok(await enrol(client, galleryId, subjectId, embedding(seed)));
    people.push({ subjectId, consentId });
  }
  const [erased, withdrawn, stays, onHold, restricted, resumed] = people;
  if (!erased || !withdrawn || !stays || !onHold || !restricted || !resumed)
    throw new Error('nobody is there');
  const server = new URL('/postgres', stack.urls.owner).toString();
  const backup = `${stack.database}_backup`;
  // Nobody may be connected to what is copied.
  await stack.apis[0]?.stop();
  await stack.owner.query('SELECT 1');
  await asOwner(server, async (owner) => {
    await owner.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
      stack.database,
    ]);
    await owner.query(`CREATE DATABASE ${backup} TEMPLATE ${stack.database}`);
  });
  const again = client.at((await stack.startApi()).url);
  const answer = await again.delete(`/v1/subjects/${erased.subjectId}`);
  expect(answer.status).toBe(202);
  ok(await again.post(`/v1/consents/${withdrawn.consentId}/withdraw`));
  const hold = { subjectId: onHold.subjectId, reason: 'litigation' };
  const placed = ok(await again.post('/v1/admin/holds', hold)).id;
  const over = ok(await again.post('/v1/admin/holds', hold)).id;
  ok(await again.delete(`/v1/admin/holds/${over}`));
  expect((await again.delete(`/v1/subjects/${onHold.subjectId}`)).status).toBe(202);
  for (const { subjectId } of [restricted, resumed])
    ok(await again.post('/v1/rights-requests', { subjectId, kind: 'restriction', channel: 'app' }));
  const { items } = ok(await again.get(`/v1/rights-requests?subjectId=${resumed.subjectId}`));
  ok(await again.post(`/v1/rights-requests/${items[0].id}/withdraw`));
  const { rows: journal } = await stack.owner.query(
    `SELECT type, client_id, subject_id, gallery_id, template_id, consent_id, hold_id, hold_reason, hold_until,
       to_char(at AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM erasure_journal ORDER BY id`,
  );

  const of = (url: string): string => Object.assign(new URL(url), { pathname: `/${backup}` }).toString();
  for (const [name, value] of Object.entries(stack.env)) vi.stubEnv(name, value);
  const urls = { app: of(stack.urls.app), custodian: of(stack.urls.custodian) };
  await inRestoredDatabase(urls, '019ac5c0-c5aa-73b7-8d6d-5c6d7e8f900c', journal);

  const api = await stack.startApi({ DATABASE_URL: urls.app, CUSTODIAN_DATABASE_URL: urls.custodian });
  const restored = again.at(api.url);
  const found = async (seed: number): Promise<string[]> =>
    ok(await identify(restored, galleryId, embedding(seed))).candidates.map((each: Json) => each.subjectId);
  expect([await found(1), await found(2), await found(3)]).toEqual([[], [], [stays.subjectId]]);
  // A restriction that was answered after the backup was made counts after the restore, unless it was lifted.
  expect([await found(5), await found(6)]).toEqual([[], [resumed.subjectId]]);
  const refused = await verify(restored, galleryId, restricted.subjectId, embedding(5));
  expect(refused.body.code).toBe('processing_restricted');
  expect((await verify(restored, galleryId, erased.subjectId, embedding(1))).status).toBe(404);
  expect((await restored.get(`/v1/subjects/${erased.subjectId}`)).status).toBe(404);
  const copy = new Client({ connectionString: of(stack.urls.owner) });
  await copy.connect();
  try {
    const { rows } = await copy.query(
      `SELECT d.subject_id, d.due_at, (SELECT count(*)::int FROM held_template t WHERE t.destruction_id = d.id) AS held
       FROM destruction d WHERE d.subject_id <> $1 ORDER BY d.rule`,
      [onHold.subjectId],
    );
    expect(rows.map(({ subject_id: who, held }) => [who, held])).toEqual([
      [withdrawn.subjectId, 1],
      [erased.subjectId, 1],
    ]);
    // What an officer holds is not destroyed by the restore, though it was asked to be erased since.
    const { rows: kept } = await copy.query(
      `SELECT h.id, h.released_at IS NULL AS counts, (SELECT count(*)::int FROM held_template t
         JOIN destruction d ON d.id = t.destruction_id WHERE d.subject_id = h.subject_id) AS held
       FROM legal_hold h ORDER BY h.id`,
    );
    expect(kept).toEqual([
      { id: placed, counts: true, held: 1 },
      { id: over, counts: false, held: 1 },
    ]);
    // The journal was made to say that it was asked for an hour earlier.
    const date = Date.parse(answer.body.destroyAfter) - 3_600_000;
    for (const { due_at: dueAt } of rows) expect(Math.abs(dueAt.getTime() - date)).toBeLessThan(60_000);
  } finally {
    await copy.end();
    await stack.apis.at(-1)?.stop();
    await asOwner(server, (owner) => owner.query(`DROP DATABASE ${backup} WITH (FORCE)`));
  }
});
