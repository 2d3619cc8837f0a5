import { resolve } from 'node:path';
import { AppProcess } from '../infra/dev/app-process.js';
import { asOwner } from '../infra/dev/database.js';
import { prepareApps, startInstallation } from '../infra/dev/installation.js';
import { BenchClient } from './bench-client.js';
import { FilledGallery } from './filled-gallery.js';
import { type Call, type Load, measure, medianOf } from './load.js';
import { NO_LIMITS } from './no-limits.js';
import { PhotoBench } from './photo-bench.js';
import { writeReport } from './report.js';
import { storageOf } from './storage.js';

/** In each round every call has its turn: what slows the machine for a while slows all of them. */
const ROUNDS = 5;
const CALLS = 200;
const TEMPLATES = 1_000;
const DIMENSIONS = [128, 512];
const EMPTY: Call = { method: 'GET', path: '/health', headers: {} };

const installation = await startInstallation(resolve('.velum/bench'));
const stops = [(): Promise<unknown> => installation.stop()];
try {
  const database = `velum_bench_${Date.now()}`;
  const { urls, env } = await prepareApps(installation, database);
  stops.push(() => dropDatabase(installation.server, database));
  const api = await AppProcess.start('api', { ...env, ...NO_LIMITS, PORT: '0' });
  stops.push(() => api.stop());
  const client = await BenchClient.create(api.url, env);

  const subjects: string[] = [];
  for (let i = 0; i < TEMPLATES; i++) subjects.push(await client.subject());
  const galleries: FilledGallery[] = [];
  for (const dimension of DIMENSIONS) {
    galleries.push(await FilledGallery.fill(api.url, client, subjects, dimension));
    console.log(`${TEMPLATES} templates of ${dimension} dimensions enrolled`);
  }
  const photos = await PhotoBench.prepare(api.url, client);
  stops.push(() => photos.close());

  const empty: Load[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    empty.push(await measure(api.url, CALLS, CALLS, () => EMPTY));
    for (const gallery of galleries) await gallery.round(CALLS);
    await photos.round();
    console.log(`round ${round} of ${ROUNDS} done`);
  }
  writeReport({
    rounds: ROUNDS,
    calls: CALLS,
    templates: TEMPLATES,
    empty: medianOf(empty),
    galleries: await asOwner(urls.owner, (owner) =>
      Promise.all(
        galleries.map(async (gallery) => ({
          ...gallery.medians(),
          storage: await storageOf(owner, gallery.id),
        })),
      ),
    ),
    ...photos.medians(),
  });
} finally {
  for (const stop of stops.toReversed()) await stop();
}

function dropDatabase(server: string, name: string): Promise<unknown> {
  return asOwner(new URL('/postgres', server).toString(), (client) =>
    client.query(`DROP DATABASE ${name} WITH (FORCE)`),
  );
}
