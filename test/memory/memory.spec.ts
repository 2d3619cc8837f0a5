import { Keyring } from '#platform/keyring';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, createGallery, embedding, enrol, identify, ok, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { Needles } from './needles.js';
import { readMemory } from './process-memory.js';
import { addFaces } from './vectors.js';

const TEMPLATES = 1_000;
const PROBES = 100;

const faces = Array.from({ length: TEMPLATES }, (_, i) => embedding(100 + i));

let stack: Stack;
let client: TestClient;

// Only root reads the memory of others; .ci/run is.
const asRoot = test.runIf(process.getuid?.() === 0 || process.env['CI'] === 'true');

beforeAll(async () => {
  stack = await Stack.start({
    apis: 0,
    env: { RATE_LIMIT_CLIENT_PER_MINUTE: '1000000', RATE_LIMIT_IP_PER_MINUTE: '1000000' },
  });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

asRoot(
  'of a thousand faces, enrolled and matched, none is left in memory but texts of uploads, and only the custodian has its keys',
  async () => {
    await enrolAndMatch();
    const needles = new Needles();
    addFaces(needles, faces);
    await addSecrets(needles);
    const table = Object.fromEntries(
      [
        ['api', stack.apis[0]?.pid] as const,
        ['worker', stack.worker?.pid] as const,
        ['custodian', stack.custodians[0]?.pid] as const,
      ].map(([name, pid]) => [name, countIn(pid ?? 0, needles)]),
    );
    // oxlint-disable-next-line no-console -- the table is what an operator runs it for
    console.table(table);
    const faceless = { float64: 0, float32: 0, int16: 0, int8: 0, JSON: 0 };
    const keyless = { 'custody key': 0, 'segment secret': 0 };
    expect(table).toEqual({
      // What the apps hold by right is found: so would the rest be.
      api: { ...faceless, ...keyless, 'database key': 1, JSON: expect.any(Number) },
      worker: { ...faceless, ...keyless, 'database key': 1, JSON: expect.any(Number) },
      custodian: { ...faceless, 'custody key': 1, 'segment secret': expect.any(Number), 'database key': 1 },
    });
    // docs/threat-model.md: of what was uploaded for a job, the text that Node and V8 have not yet given back.
    for (const name of ['api', 'worker']) expect(table[name]?.['JSON']).toBeLessThan(TEMPLATES / 4);
  },
  600_000,
);

async function enrolAndMatch(): Promise<void> {
  const gallery = await createGallery(client);
  const people = await consentingPeople(client, TEMPLATES);
  const [singly, inBulk] = [people.slice(0, TEMPLATES / 2), people.slice(TEMPLATES / 2)];
  await each(singly, async ({ subjectId }, i) => {
    ok(await enrol(client, gallery, subjectId, faces[i] ?? []));
  });
  const lines = inBulk.map(({ subjectId }, i) => ({ subjectId, embedding: faces[TEMPLATES / 2 + i] }));
  const job = ok(await startJob(client, gallery, 'enrol', linesOf(lines)));
  expect(await endedJob(client, job.id)).toMatchObject({ done: TEMPLATES / 2, failed: 0, refused: 0 });
  await each(singly.slice(0, PROBES), async ({ subjectId }, i) => {
    expect(ok(await verify(client, gallery, subjectId, faces[i] ?? [])).match).toBe(true);
    expect(ok(await identify(client, gallery, faces[i] ?? [])).candidates).toHaveLength(1);
  });
  const probes = linesOf(faces.slice(-PROBES).map((face) => ({ embedding: face })));
  const search = ok(await startJob(client, gallery, 'identify', probes));
  expect(await endedJob(client, search.id)).toMatchObject({ done: PROBES, failed: 0, refused: 0 });
}

async function each<T>(items: readonly T[], work: (item: T, i: number) => Promise<void>): Promise<void> {
  const queue = [...items.entries()];
  const next = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift())
      await work(entry[1], entry[0]);
  };
  await Promise.all(Array.from({ length: 8 }, next));
}

/** Keys as bytes and as the text of their file, and what they wrap. */
async function addSecrets(needles: Needles): Promise<void> {
  const text = (name: string): string =>
    readFileSync(join(stack.env['SECRETS_DIR'] ?? '', name), 'utf8').trim();
  for (const [kind, name] of [
    ['custody key', 'custody_encryption_key'],
    ['database key', 'db_encryption_key'],
  ] as const) {
    const base64 = text(name).slice(text(name).indexOf(':') + 1);
    needles.add(kind, 0, Buffer.from(base64, 'base64'), 16);
    needles.add(kind, 0, Buffer.from(base64), 20);
  }
  const keyring = Keyring.parseCustody(text('custody_encryption_key'));
  const { rows } = await stack.owner.query(
    'SELECT s.id, s.gallery_id, s.secret, k.mask_seed FROM custody.segment s JOIN custody.key_set k USING (gallery_id)',
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { id, gallery_id, secret, mask_seed } of rows) {
    const context = `custody.segment ${gallery_id} ${id} ${mask_seed.toString('hex')}`;
    const opened = keyring?.decrypt(secret, context);
    if (opened !== undefined) needles.add('segment secret', 0, opened, 16);
  }
}

/** How many faces, and whether keys, were seen in any form. */
function countIn(pid: number, needles: Needles): Record<string, number> {
  const kinds = [
    'float64',
    'float32',
    'int16',
    'int8',
    'JSON',
    'custody key',
    'segment secret',
    'database key',
  ];
  const seen = new Map(kinds.map((kind) => [kind, new Set<number>()]));
  readMemory(pid, (run) => needles.search(run, (kind, owner) => seen.get(kind)?.add(owner)));
  return Object.fromEntries([...seen].map(([kind, owners]) => [kind, owners.size]));
}
