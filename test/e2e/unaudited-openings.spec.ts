import { OpeningRefused } from '#custody/custody.errors';
import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asQuantisedProbe, asScore } from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { asId, newId } from '#platform/ids';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askWith, keepRows } from '../harness/kept-rows.js';
import { openMatched } from '../harness/matching.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, similar, verify } from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

const WAIT = { timeout: 60_000, interval: 100 };

let stack: Stack;
let officer: TestClient;
let client: TestClient;
let clientId: string;
/** Who has the API's certificate and speaks to the custodian past the API. */
let intruder: RemoteKeyCustodian;

beforeAll(async () => {
  stack = await Stack.start({
    apis: 0,
    env: {
      DETECT_SECONDS: '1',
      DETECT_REFUSALS: '20',
      DETECT_MATCHES: '30',
      DETECT_MATCH_FACTOR: '3',
      DETECT_UNAUDITED: '30',
    },
  });
  await stack.startCustodian();
  const api = await stack.startApi(stack.custody('velum_app'));
  const { custodian } = loadConfig({ ...process.env, ...stack.env, ...stack.custody('velum_app') });
  if (custodian === undefined) throw new Error('no custodian');
  intruder = new RemoteKeyCustodian(custodian);
  officer = await TestClient.connect(api.url, createCredentials(stack, 'admin:compliance admin:audit'));
  const credentials = createCredentials(stack);
  ({ clientId } = credentials);
  client = await TestClient.connect(api.url, credentials);
});

afterAll(async () => {
  intruder.onApplicationShutdown();
  await stack.stop();
});

async function causes(detector: string): Promise<string[]> {
  const { items } = ok(await officer.get('/v1/admin/incidents?limit=200'));
  return items
    .filter((incident: Json) => incident.detector === detector)
    .map(({ cause }: Json) => cause)
    .toSorted();
}

async function openPastTheApi(gallery: string, times: number): Promise<void> {
  const kept = await keepRows(stack.owner, gallery);
  for (let i = 0; i < times; i++) await askWith(intruder, asId<'gallery'>(gallery), kept, embedding(90 + i));
}

test('what is opened past the API is an incident, and what is asked through it is not', async () => {
  const [honest, attacked] = [await createGallery(client), await createGallery(client)];
  const { subjectId } = await enrolledPerson(client, honest, embedding(1));
  for (let i = 0; i < 45; i++) ok(await verify(client, honest, subjectId, embedding(1)));
  // A search that names two persons has two entries in the log, and opened once.
  for (const face of [embedding(2), similar(embedding(2), 1)]) await enrolledPerson(client, attacked, face);
  for (let i = 0; i < 25; i++) {
    expect(ok(await identify(client, attacked, embedding(2), 2)).candidates).toHaveLength(2);
  }
  await openPastTheApi(attacked, 35);
  // As if that had been some time ago: of what was opened just now the entry may be on its way.
  await stack.owner.query(`UPDATE custody.opening SET at = at - interval '15 minutes'`);
  await stack.startWorker(stack.custody('velum_worker'));
  await expect.poll(() => causes('unaudited_openings'), WAIT).toEqual([`gallery ${attacked}`]);
  const { items } = ok(await officer.get('/v1/admin/incidents'));
  const incident = items.find(({ detector }: Json) => detector === 'unaudited_openings');
  expect(incident).toMatchObject({ severity: 'high', state: 'open' });
  expect(incident.description).toMatch(/^35 since 20/);
});

test('comparisons past the API count where a client is compared with its own days', async () => {
  const gallery = await createGallery(client);
  await enrolledPerson(client, gallery, embedding(3));
  await stack.owner.query(
    `INSERT INTO match_hour (hour, client_id, gallery_id, matches)
     SELECT date_trunc('hour', now()) - n * interval '1 day', $1, $2, 5 FROM generate_series(1, 5) AS n`,
    [clientId, gallery],
  );
  await openPastTheApi(gallery, 35);
  await expect.poll(() => causes('unusual_rate'), WAIT).toContain(`gallery ${gallery}`);
});

test('what the custodian refuses again and again is an incident of the gallery, whoever asked', async () => {
  const gallery = asId<'gallery'>(await createGallery(client));
  const nothing = {
    about: 'gallery',
    clientId: newId<'client'>(),
    galleryId: gallery,
    probe: asQuantisedProbe(new Int8Array(128)),
    c1: new Uint32Array(SLOTS_PER_SEGMENT),
    segments: [],
    threshold: asScore(1),
    limit: 1,
  } as const;
  for (let i = 0; i < 25; i++) await expect(openMatched(intruder, nothing)).rejects.toThrow(OpeningRefused);
  await expect.poll(() => causes('repeated_refusals'), WAIT).toEqual([`gallery ${gallery}`]);
});
