import { Command } from 'commander';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppProcess } from './app-process.js';
import { asOwner } from './database.js';
import { runDemoJob } from './demo-job.js';
import { photosFromFolder, photosFromSamples } from './demo-photos.js';
import { DEVELOPMENT_FOLDER, prepareApps, startInstallation } from './installation.js';
import { freePort } from './ports.js';

const program = new Command('demo')
  .description('Starts Velum and does its main job on real photographs.')
  .option('--once', 'end after the job')
  .option('--photos <dir>', 'use photographs of yours: one folder a person, two photographs or more in each')
  .parse();
const { once, photos: folder } = program.opts<{ once?: true; photos?: string }>();

const RUNNING = join(DEVELOPMENT_FOLDER, 'running.json');
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
    rmSync(RUNNING, { force: true });
    for (const stop of stops.toReversed()) await stop().catch(() => undefined);
  })();
  return stopping;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping !== undefined) return;
    console.log('\nStopping …');
    void stopAll().then(() => process.exit(0));
  });
}

try {
  const started = performance.now();
  const installation = await start(startInstallation(DEVELOPMENT_FOLDER));
  const { urls, env } = await prepareApps(installation, 'velum');
  const photos = folder === undefined ? photosFromSamples() : photosFromFolder(folder);
  const port = await freePort(3000);
  const api = await start(AppProcess.start('api', { ...env, PORT: String(port) }));
  await start(AppProcess.start('worker', env));
  const running = { pid: process.pid, env: { ...env, MIGRATION_DATABASE_URL: urls.owner } };
  writeFileSync(RUNNING, JSON.stringify(running), { mode: 0o600 });
  const { people, source } = await photos;
  console.log(
    `Started in ${((performance.now() - started) / 1000).toFixed(1)} s: PostgreSQL, Redis, API, worker.`,
  );
  console.log(`Photographs: ${source}.\n`);
  const credentials = createClient(env);
  const client = await asOwner(urls.owner, (database) => runDemoJob(api.url, credentials, people, database));
  if (once) {
    await stopAll();
    console.log('\nDone, and everything is stopped.');
  } else {
    console.log(`\nThe API is up. Explore it at ${api.url}/docs: press Authorize and paste`);
    console.log(`  client_id      ${credentials.clientId}\n  client_secret  ${credentials.clientSecret}`);
    console.log(`or, under bearer, this token (15 minutes):\n  ${client.token}\nCtrl-C stops everything.`);
  }
} catch (error) {
  // What fails because it is being stopped is no failure.
  if (stopping !== undefined) await new Promise(() => undefined);
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : 'for an unknown reason'}`);
  await stopAll();
  process.exit(1);
}

function createClient(env: Record<string, string>): { clientId: string; clientSecret: string } {
  const args = ['dist/apps/cli/main.js', 'clients', 'create', '--name', 'Demo', '--scopes', 'all', '--json'];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
