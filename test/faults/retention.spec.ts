import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, grantConsent, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

/** Withdrawn, erased and away: a third each. */
const PEOPLE = 36;
/** Statements between kills; a destruction takes about twenty. */
const STEP = 11;
const KILLS = 8;

let stack: Stack;
let client: TestClient;
const people: string[] = [];

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  const document: Json = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));
  for (const rule of ['afterEnd', 'afterErasureRequest', 'inactivity']) {
    document.retention[rule] = { value: 'P2D', source: 'a test' };
  }
  await stack.owner.query("INSERT INTO jurisdiction_policy VALUES ('XX-TWODAYS', 1, $1)", [
    { ...document, code: 'XX-TWODAYS' },
  ]);
  const galleryId = await createGallery(client);
  for (let i = 0; i < PEOPLE; i++) {
    const subjectId = ok(await client.post('/v1/subjects', { jurisdiction: 'XX-TWODAYS' })).id;
    const consentId = await grantConsent(client, subjectId);
    ok(await enrol(client, galleryId, subjectId, embedding(i + 1)));
    if (i % 3 === 0) ok(await client.post(`/v1/consents/${consentId}/withdraw`));
    if (i % 3 === 1) ok(await client.delete(`/v1/subjects/${subjectId}`));
    people.push(subjectId);
  }
  await vi.waitFor(async () => expect(await count('FROM held_template')).toBe((2 * PEOPLE) / 3), {
    timeout: 20_000,
    interval: 50,
  });
  // Its own runs would take what is to be destroyed under kills.
  await stack.worker?.stop();
});

afterAll(() => stack.stop());

async function count(sql: string): Promise<number> {
  return (await stack.owner.query(`SELECT count(*)::int AS n ${sql}`)).rows[0].n;
}

/** One run of the engine; NaN of one that was killed. */
async function run(killAt = 0): Promise<number> {
  const child = spawn(process.execPath, ['dist/test/faults/engine-process.js'], {
    env: { ...process.env, ...stack.env, KILL_AT: String(killAt) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (part: Buffer) => (printed += part.toString()));
  const [code, signal] = await once(child, 'exit');
  expect([code, signal]).toEqual(signal === null ? [0, null] : [null, 'SIGKILL']);
  return signal === null ? Number(printed) : NaN;
}

test('of what is due each is destroyed once, with one record, while workers run side by side and are killed at every step', async () => {
  // Two of each third wait for another day, or for a hold.
  const [early, onHold] = [people.slice(0, 3), people.slice(3, 6)];
  await stack.owner.query(
    `UPDATE destruction SET since = since - interval '3 days', due_at = due_at - interval '3 days'
     WHERE NOT subject_id = ANY($1)`,
    [early],
  );
  for (const statement of [
    `UPDATE subject SET last_seen_at = last_seen_at - interval '3 days' WHERE NOT id = ANY($1)`,
    `UPDATE template SET created_at = created_at - interval '3 days' WHERE NOT subject_id = ANY($1)`,
    `UPDATE consent_fact f SET at = at - interval '3 days' FROM consent c
     WHERE c.id = f.consent_id AND NOT c.subject_id = ANY($1)`,
  ]) {
    await stack.owner.query(statement, [early]);
  }
  for (const subjectId of onHold)
    ok(await client.post('/v1/admin/holds', { subjectId, reason: 'litigation' }));

  const ended: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const first = 5 + kill * STEP;
    ended.push(...(await Promise.all([run(first), run(first + 3)])));
  }
  expect(ended.filter(Number.isNaN).length).toBeGreaterThan(KILLS);
  await Promise.all([run(), run()]);
  expect(await run()).toBe(0);

  const { rows: states } = await stack.owner.query(
    `SELECT d.subject_id, d.destroyed_at IS NOT NULL AS destroyed,
       (SELECT count(*)::int FROM audit_event e WHERE e.type = 'data.destroyed'
          AND e.details->>'destructionId' = d.id::text) AS records,
       (SELECT count(*)::int FROM erasure_journal j WHERE j.type = 'template.erased' AND j.subject_id = d.subject_id) AS erased
     FROM destruction d`,
  );
  expect(states).toHaveLength(PEOPLE - 1);
  for (const { subject_id: who, ...state } of states) {
    const kept = [...early, ...onHold].includes(who);
    const gone = { destroyed: true, records: 1, erased: 1 };
    expect([who, state]).toEqual([who, kept ? { destroyed: false, records: 0, erased: 0 } : gone]);
  }
  // Of those who are early one is not away yet; whoever is on hold is searchable no more.
  expect(await count('FROM template')).toBe(1);
  expect(await count('FROM held_template')).toBe(5);
  expect(await count('FROM consent WHERE ended_at IS NULL')).toBe(1);
  const { rows: runs } = await stack.owner.query(
    'SELECT count(*)::int AS n, count(DISTINCT run_id)::int AS runs FROM destruction WHERE destroyed_at IS NOT NULL',
  );
  expect(runs[0].n).toBe(PEOPLE - 6);
  expect(runs[0].runs).toBeGreaterThan(2);
}, 240_000);
