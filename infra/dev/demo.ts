import { Command } from 'commander';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { AppProcess } from './app-process.js';
import { asOwner } from './database.js';
import { demoCredentials } from './demo-credentials.js';
import { runDemoJob } from './demo-job.js';
import { photosFromFolder, photosFromSamples } from './demo-photos.js';
import { DEVELOPMENT_FOLDER, prepareApps, startInstallation } from './installation.js';
import { freePort } from './ports.js';
import { RUNNING_DEMO, type RunningDemo } from './running-demo.js';

/** Where the README's session looks for the API. */
const PORT = 3000;

const program = new Command('demo')
  .description('Starts Velum and does its main job on real photographs.')
  .option('--once', 'end after the job')
  .option('--photos <dir>', 'use photographs of yours: one folder a person, two photographs or more in each')
  .parse();
const { once, photos: folder } = program.opts<{ once?: true; photos?: string }>();
if (folder !== undefined && !existsSync(folder)) program.error(`There is no folder ${folder}.`);

const stops: (() => Promise<unknown>)[] = [];
let starting: Promise<unknown> = Promise.resolve();
let stopping: Promise<void> | undefined;

/** Starts a part that is stopped in its turn, even if the word to stop comes while it starts. */
async function start<T extends { stop(): Promise<unknown> }>(part: Promise<T>): Promise<T> {
  starting = part.then(
    (started) => stops.push(() => started.stop()),
    () => undefined,
  );
  return part;
}

/** Everything that was started, last first; each once. */
function stopAll(): Promise<void> {
  stopping ??= (async () => {
    await starting;
    rmSync(RUNNING_DEMO, { force: true });
    for (const stop of stops.toReversed()) await stop().catch(() => undefined);
  })();
  return stopping;
}

// SIGHUP: the terminal was closed, and takes no more lines.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stopping !== undefined) return;
    console.log('\nStopping …');
    void stopAll().then(() => process.exit(0));
  });
}

try {
  const started = performance.now();
  const installation = await start(startInstallation(DEVELOPMENT_FOLDER));
  const { urls, env: prepared } = await prepareApps(installation, 'velum');
  // Receivers of webhooks that are being written are on this machine.
  const env = { ...prepared, WEBHOOK_ALLOWED_NETWORKS: 'localhost,127.0.0.1' };
  const photos = folder === undefined ? photosFromSamples() : photosFromFolder(folder);
  // It is awaited when all has started; until then a failure of it must not end us before what has started is stopped.
  photos.catch(() => undefined);
  const port = await freePort(PORT);
  const api = await start(AppProcess.start('api', { ...env, PORT: String(port) }));
  const worker = await start(AppProcess.start('worker', env));
  const credentials = await demoCredentials(api.url, env);
  const running: RunningDemo = {
    pid: process.pid,
    env: { ...env, MIGRATION_DATABASE_URL: urls.owner },
    client: {
      VELUM_URL: api.url,
      VELUM_CLIENT_ID: credentials.clientId,
      VELUM_CLIENT_SECRET: credentials.clientSecret,
    },
  };
  writeFileSync(RUNNING_DEMO, JSON.stringify(running), { mode: 0o600 });
  const { people, source } = await photos;
  console.log(
    `Started in ${((performance.now() - started) / 1000).toFixed(1)} s: PostgreSQL, Redis, API, worker.`,
  );
  console.log(`Photographs: ${source}.\n`);
  const {
    api: client,
    gallery,
    notice,
  } = await asOwner(urls.owner, (database) => runDemoJob(api.url, credentials, people, database));
  if (once) {
    await stopAll();
    console.log('\nDone, and everything is stopped.');
  } else {
    console.log(`\nThe API is up. Explore it at ${api.url}/docs: press Authorize and paste`);
    console.log(`  client_id      ${credentials.clientId}\n  client_secret  ${credentials.clientSecret}`);
    console.log(`or, under bearer, this token (15 minutes):\n  ${client.token}`);
    if (port !== PORT) {
      console.log(`Port ${PORT} was taken: begin the README's curl session with VELUM_URL=${api.url}`);
    }
    console.log(`In another terminal, a folder of photographs of yours, one folder a person, is enrolled by`);
    console.log(`  npm run velum -- enrol DIR --gallery ${gallery} --notice ${notice}`);
    console.log(`The client also signs in at ${api.url}/admin/queues. Metrics:`);
    console.log(`  API ${api.internalUrl}/metrics  worker ${worker.internalUrl}/metrics`);
    console.log('Ctrl-C stops everything.');
  }
} catch (error) {
  // What fails because it is being stopped is no failure.
  if (stopping !== undefined) await new Promise(() => undefined);
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : 'for an unknown reason'}`);
  await stopAll();
  process.exit(1);
}
