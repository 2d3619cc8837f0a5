import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, createGallery, embedding, enrol, identify, ok, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';
import { readMemory } from './process-memory.js';
import { needlesOf } from './vectors.js';

const TEMPLATES = 1_000;
const PROBES = 100;

const faces = Array.from({ length: TEMPLATES }, (_, i) => embedding(100 + i));

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({
    apis: 0,
    env: { RATE_LIMIT_CLIENT_PER_MINUTE: '1000000', RATE_LIMIT_IP_PER_MINUTE: '1000000' },
  });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
}, 120_000);

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
  await each(people.slice(0, PROBES), async ({ subjectId }, i) => {
    expect(ok(await verify(client, gallery, subjectId, faces[i] ?? [])).match).toBe(true);
    expect(ok(await identify(client, gallery, faces[i] ?? [])).candidates).toHaveLength(1);
  });
  const probes = linesOf(faces.slice(-PROBES).map((face) => ({ embedding: face })));
  const search = ok(await startJob(client, gallery, 'identify', probes));
  expect(await endedJob(client, search.id)).toMatchObject({ done: PROBES, failed: 0, refused: 0 });
}

afterAll(() => stack.stop());

async function each<T>(items: readonly T[], work: (item: T, i: number) => Promise<void>): Promise<void> {
  const queue = [...items.entries()];
  const next = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift())
      await work(entry[1], entry[0]);
  };
  await Promise.all(Array.from({ length: 8 }, next));
}

test('measure', async () => {
  await enrolAndMatch();
  const needles = needlesOf(faces);
  for (const [name, pid] of [
    ['api', stack.apis[0]?.pid ?? 0],
    ['worker', stack.worker?.pid ?? 0],
    ['custodian', stack.custodians[0]?.pid ?? 0],
  ] as const) {
    const started = performance.now();
    const found = new Map<string, { owners: Set<number>; groups: number; maps: Map<string, number> }>();
    const total = readMemory(pid, (piece, mapping) => {
      for (const each of needles) {
        const f = found.get(each.name) ?? { owners: new Set(), groups: 0, maps: new Map() };
        found.set(each.name, f);
        each.search(piece, (owner) => {
          f.owners.add(owner);
          f.groups++;
          f.maps.set(mapping, (f.maps.get(mapping) ?? 0) + 1);
        });
      }
    });
    console.log(
      name,
      `${(total / 2 ** 20).toFixed(0)} MB`,
      `${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    for (const [kind, { owners, groups, maps }] of found)
      console.log(`  ${kind}: ${owners.size} vectors, ${groups} groups`, JSON.stringify([...maps]));
  }
}, 300_000);
