import { Keyring } from '#platform/keyring';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppProcess } from '../../infra/dev/app-process.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { enrolOfficer, logIn, nextCode } from '../harness/officers.js';
import { velum } from '../harness/operator.js';
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
import { createWebhook } from '../harness/webhooks.js';

/** Beside the few that the API makes: enough to be killed in the middle of. */
const REFERENCES = 30_000;

let folder: string;
let stack: Stack;
let client: TestClient;
const secrets: Record<string, Record<string, string>> = {};
const [k1, k2] = ['k1', 'k2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'velum-rotation-'));
  for (const [name, lines] of Object.entries({ old: [k1], known: [k1, k2], moved: [k2, k1], fresh: [k2] })) {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    secrets[name] = { DB_ENCRYPTION_KEY_FILE: path };
  }
  stack = await Stack.start({
    apis: 0,
    env: {
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      RATE_LIMIT_CLIENT_PER_MINUTE: '1000000',
      RATE_LIMIT_IP_PER_MINUTE: '1000000',
    },
  });
  await stack.startApi(secrets['old']);
  client = await TestClient.create(stack);
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

test('a key is replaced while faces are enrolled and verified and workers are killed; then the old one opens nothing', async () => {
  const gallery = await createGallery(client);
  const face = embedding(1);
  const { subjectId, consentId } = await enrolledPerson(client, gallery, face);
  const signer = await receiptKey(client, consentId);
  const named = ok(await client.post('/v1/subjects', { reference: 'employee 7' }));
  const request = { subjectId: named.id, kind: 'grievance', channel: 'app', text: 'nobody answers' };
  const grievance = ok(await client.post('/v1/rights-requests', request));
  ok(await client.post(`/v1/admin/cases/${grievance.id}/fulfil`, { answer: 'we do now' }));
  const nominee = { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' };
  ok(await client.send('PUT', `/v1/subjects/${named.id}/nominee`, nominee));
  const webhook = await createWebhook(client, 'http://127.0.0.1:9/hook?token=t');
  const waiting = ok(await startJob(client, gallery, 'identify', linesOf([{ embedding: face }])));
  const officer = await enrolOfficer({ url: stack.url, env: { ...stack.env, ...secrets['old'] } });
  await insertReferences();
  const spooled = await insertSpoolKey(gallery);

  // The new key becomes known to all, and then encrypts: the two processes of a switch at each step.
  const knowing = client.at((await stack.startApi(secrets['known'])).url);
  const moved = client.at((await stack.startApi(secrets['moved'])).url);
  const traffic = new Traffic([knowing, moved], gallery, subjectId, face);

  const killed: number[] = [];
  for (let kills = 0; kills < 4; kills++) {
    const before = await resealed();
    const worker = await stack.startWorker(secrets['moved']);
    await expect.poll(resealed, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
    worker.kill('SIGKILL');
    await worker.stop();
    killed.push(await resealed());
  }
  expect(killed.at(-1)).toBeLessThan(REFERENCES);
  expect((await status('moved', '--require-current')).code).toBe(2);
  const [underway] = ok(await moved.get('/v1/admin/key-encryption-keys')).items;
  expect(underway).toMatchObject({ keyId: 'k2', resealed: killed.at(-1), endedAt: null, auditRecords: [] });
  expect(underway.left).toBeGreaterThan(0);
  expect(Date.parse(underway.expectedEndAt)).toBeGreaterThan(Date.now());

  // A worker of the version before is still there: its current key is the old one, and it undoes nothing.
  const workers: AppProcess[] = [];
  for (const kind of ['known', 'moved', 'moved']) workers.push(await stack.startWorker(secrets[kind]));
  await expect.poll(left, { timeout: 120_000, interval: 250 }).toBe(0);
  await expect.poll(records, { timeout: 30_000 }).toHaveLength(1);
  const metrics = await (await fetch(`${workers[2]?.internalUrl}/metrics`)).text();
  expect(metrics).toContain('velum_sealed_values{key="k1"} 0');
  const keys = ok(await moved.get('/v1/admin/key-encryption-keys')).items;
  const ofStored = keys.filter(({ secret }: Json) => secret === 'db_encryption_key');
  expect(ofStored).toMatchObject([
    {
      keyId: 'k2',
      newest: true,
      left: 0,
      resealed: await resealed(),
      expectedEndAt: null,
      auditRecords: [expect.any(String)],
    },
    { keyId: 'k1', newest: false, values: 0, left: null, auditRecords: [] },
  ]);
  expect(ofStored[0].values).toBeGreaterThan(REFERENCES);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(traffic.calls).toBeGreaterThan(100);
  const total = await resealed();
  // What was killed in the middle of a batch did nothing, and nobody did the same twice.
  expect(total).toBeGreaterThanOrEqual(REFERENCES + 8);
  expect(total).toBeLessThan(REFERENCES + 8 + traffic.calls);
  expect(await records()).toEqual([{ keyId: 'k2', values: total }]);
  await Promise.all(workers.map((worker) => worker.stop()));

  // The API that encrypts with the old key has made its last template; now only the new key is there.
  for (const api of stack.apis.splice(0)) await api.stop();
  const after = client.at((await stack.startApi(secrets['fresh'])).url);
  await stack.startWorker(secrets['fresh']);
  expect(ok(await verify(after, gallery, subjectId, face)).match).toBe(true);
  expect(ok(await identify(after, gallery, face)).candidates).toHaveLength(1);
  expect(await receiptKey(after, consentId)).toBe(signer);
  expect(ok(await after.get(`/v1/subjects/${named.id}`)).reference).toBe('employee 7');
  const read = ok(await after.get(`/v1/rights-requests/${grievance.id}`));
  expect(read).toMatchObject({ text: 'nobody answers', answer: 'we do now' });
  expect(ok(await after.get(`/v1/subjects/${named.id}/nominee`))).toMatchObject(nominee);
  expect(ok(await after.get(`/v1/webhooks/${webhook.id}`)).url).toBe('http://127.0.0.1:9/hook?token=t');
  expect(await endedJob(after, waiting.id)).toMatchObject({ state: 'ended', done: 1, failed: 0 });
  await nextCode(stack, officer);
  ok(await logIn(after.url, officer));
  const { rows } = await stack.owner.query('SELECT reference FROM subject WHERE reference IS NOT NULL');
  const [onlyNew, onlyOld] = [ring(k2), ring(k1)];
  for (const { reference } of rows) onlyNew.decrypt(reference, 'subject.reference');
  expect(rows).toHaveLength(REFERENCES + 1);
  expect(() => onlyOld.decrypt(rows[0].reference, 'subject.reference')).toThrow('not in db_encryption_key');
  const job = await stack.owner.query('SELECT spool_key FROM job WHERE id = $1', [spooled]);
  expect(onlyNew.decrypt(job.rows[0].spool_key, `job.spool_key ${spooled}`).toString()).toBe('a key');
  const told = await status('fresh', '--require-current');
  expect(told.code).toBe(0);
  expect(told.stdout).toContain('Under another key than k2: 0');
}, 300_000);

/** Which key signs the receipts: its private half is one more sealed value. */
async function receiptKey(by: TestClient, consentId: string): Promise<string> {
  const { receipt } = ok(await by.get(`/v1/consents/${consentId}/receipt`));
  return JSON.parse(Buffer.from(receipt.split('.')[0], 'base64url').toString()).kid;
}

test('a segment’s secret is sealed anew or its slots are used: the database permits nothing else', async () => {
  const pool = stack.owner;
  const change = async (sql: string): Promise<void> => {
    const one = await pool.connect();
    try {
      await one.query(`SET ROLE velum_custodian; UPDATE custody.segment SET ${sql}`);
    } finally {
      // With the role that it has taken.
      one.release(true);
    }
  };
  await expect(change('used = used - 1')).rejects.toThrow('a used slot is never given again');
  await expect(change('used = used')).rejects.toThrow('a used slot is never given again');
  await expect(change(`used = used + 1, secret = '\\x00'`)).rejects.toThrow(
    'a used slot is never given again',
  );
  await expect(change('gallery_id = gallery_id, used = used + 1')).rejects.toThrow('permission denied');
});

/** Verifies and enrols through both, one call after the other. */
class Traffic {
  calls = 0;
  readonly failures: string[] = [];
  private running = true;
  private readonly done: Promise<unknown>;

  constructor(clients: readonly TestClient[], gallery: string, subjectId: string, face: readonly number[]) {
    this.done = Promise.all(
      clients.map(async (each, i) => {
        while (this.running) {
          const verified = await verify(each, gallery, subjectId, face);
          if (verified.body.match !== true) this.failures.push(JSON.stringify(verified.body));
          const other = embedding(10 + 2 * this.calls + i);
          const enrolled = await enrol(each, gallery, (await this.subject(each)).subjectId, other);
          if (enrolled.status >= 300) this.failures.push(JSON.stringify(enrolled.body));
          this.calls++;
        }
      }),
    );
  }

  stop(): Promise<unknown> {
    this.running = false;
    return this.done;
  }

  private async subject(each: TestClient): Promise<{ subjectId: string }> {
    const { id: subjectId } = ok(await each.post('/v1/subjects', {}));
    await grantConsent(each, subjectId);
    return { subjectId };
  }
}

async function insertReferences(): Promise<void> {
  const old = ring(k1);
  const values = Array.from({ length: REFERENCES }, (_, i) =>
    old.encrypt(Buffer.from(`r${i}`), 'subject.reference'),
  );
  await stack.owner.query(
    `INSERT INTO subject (id, client_id, reference, reference_index)
     SELECT gen_random_uuid(), (SELECT id FROM client LIMIT 1), v, sha256(v) FROM unnest($1::bytea[]) AS v`,
    [values],
  );
}

/** Of a job that no worker touches. */
async function insertSpoolKey(gallery: string): Promise<string> {
  const id = randomUUID();
  await stack.owner.query(
    `INSERT INTO job (id, client_id, gallery_id, type, state, settings, input_bytes, spool_key, ended_at)
     VALUES ($1, (SELECT id FROM client LIMIT 1), $2, 'identify', 'ended', '{}', 0, $3, now())`,
    [id, gallery, ring(k1).encrypt(Buffer.from('a key'), `job.spool_key ${id}`)],
  );
  return id;
}

function ring(line: string | undefined): Keyring {
  const parsed = Keyring.parse(line ?? '');
  if (parsed === undefined) throw new Error('no keyring');
  return parsed;
}

function status(keys: string, ...args: string[]): ReturnType<typeof velum> {
  return velum({ ...stack.env, ...secrets[keys] }, ['keys', 'status', ...args]);
}

async function left(): Promise<number> {
  const { stdout } = await status('moved', '--json');
  return JSON.parse(stdout).left;
}

async function resealed(): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT resealed::int AS n FROM key_rotation WHERE key_id = 'k2'`);
  return rows[0]?.n ?? 0;
}

async function records(): Promise<Json[]> {
  const { rows } = await stack.owner.query(
    `SELECT details FROM audit_event WHERE type = 'encryption_key.rotated'`,
  );
  return rows.map(({ details }) => details);
}
