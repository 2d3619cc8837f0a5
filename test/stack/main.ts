import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { checkCertificates } from './certificates.js';
import { Table, TooLate, expect } from './check.js';
import { StackClient } from './client.js';
import { checkCompose } from './compose.js';
import { checkDoors, lookThroughLogs } from './doors.js';
import { checkCustody } from './custody.js';
import { docker, startEngine } from './engine.js';
import { checkFaults } from './faults.js';
import { checkHardening } from './hardening.js';
import { IMAGE, Installation } from './installation.js';
import { checkLogs } from './logs.js';
import { checkMigrations } from './migrations.js';
import { checkRecovery } from './recovery.js';
import { checkRotation } from './rotation.js';
import { bulkJob, mainJob, type Story } from './story.js';
import { checkScaling } from './scaling.js';
import { checkSwitching } from './switching.js';
import { checkWatching } from './watching.js';

/**
 * `npm run test:stack`: the production stack on a real Docker engine, which is started if none runs. As root, since
 * deploy.sh gives files to the users of the containers. `--keep` leaves the stack up; `--only doors,switching` does
 * these parts alone, after the deploy; `--minutes 60` leaves out, and says so, what would not end by then.
 */
const folder = resolve('.velum/stack');
type Part = (table: Table, server: Installation, client: StackClient, story: Story) => Promise<void>;

/** In this order: what a part leaves behind, the next one finds. */
const PARTS: Readonly<Record<string, Part>> = {
  doors: checkDoors,
  custody: checkCustody,
  hardening: checkHardening,
  switching: checkSwitching,
  logs: checkLogs,
  migrations: checkMigrations,
  watching: checkWatching,
  faults: checkFaults,
  scaling: checkScaling,
  certificates: checkCertificates,
  recovery: checkRecovery,
  rotation: checkRotation,
};

/** After all the others, and after the cleanup: it is a server of its own. */
const LAST = 'compose';

/** What each took on two processors. */
const TAKES_MINUTES: Readonly<Record<string, number>> = {
  doors: 1,
  custody: 1,
  hardening: 3,
  switching: 18,
  logs: 8,
  migrations: 5,
  watching: 14,
  faults: 5,
  scaling: 6,
  certificates: 2,
  recovery: 12,
  rotation: 24,
  [LAST]: 5,
};
/** What is looked at when all parts are through, and the cleanup. */
const ENDING_MINUTES = 4;
/** Parts whose checks leave nothing to be put in order: they may end after any. It is more than a check of theirs takes where all is slow. */
const CUT_ANYWHERE = new Set(['switching', 'watching']);
const LONGEST_CHECK_MINUTES = 12;
/** The parts until now. */
const took = { minutes: 0, expected: 0 };

const parts = option('--only')?.split(',') ?? [...Object.keys(PARTS), LAST];
const minutes = Number(option('--minutes') ?? Infinity);
const table = new Table();

const keep = process.argv.includes('--keep');

if (process.getuid?.() !== 0) throw new Error('run it as root');
const stopEngine = await startEngine(resolve('.velum/dockerd.log'));
try {
  const server = await build();
  try {
    await prove(server);
  } finally {
    if (!keep) server.remove();
  }
} finally {
  table.print(resolve('.velum/stack-results.json'));
  await stopEngine();
}

async function build(): Promise<Installation> {
  await table.check('the base images and the image build', async () => {
    run('test/stack/images/build.sh');
    run('docker', 'build', '-q', '-t', IMAGE, '.');
    const bytes = Number(docker('image', 'inspect', '-f', '{{.Size}}', IMAGE));
    const base = Number(docker('image', 'inspect', '-f', '{{.Size}}', 'node:24-bookworm-slim'));
    const user = docker('image', 'inspect', '-f', '{{.Config.User}}', IMAGE);
    return `${Math.round(bytes / 1e6)} MB, ${Math.round((bytes - base) / 1e6)} of them ours; user ${user}`;
  });
  return Installation.make(folder);
}

async function prove(server: Installation): Promise<void> {
  await table.check('init and deploy on an empty machine', async () => {
    const started = Date.now();
    const { status, text } = await server.run(['deploy', '--image', IMAGE]);
    expect(status === 0, text);
    return `serves after ${Math.round((Date.now() - started) / 1_000)} s`;
  });
  const client = new StackClient(server.httpsPort, server.certificate);
  await client.connect(await server.createClient());
  await table.check(
    'a second init asks before it overwrites, and keeps all when nobody answers',
    async () => {
      const before = server.privateFiles();
      const { text } = await server.run(['init']);
      const after = server.privateFiles();
      const changed = [...before].filter(([path, hash]) => after.get(path) !== hash).map(([path]) => path);
      expect(before.size > 10 && changed.length === 0, `changed: ${changed.join(', ')}\n${text}`);
      return `${before.size} files as they were`;
    },
  );
  const story = await mainJob(client);
  await table.check('the main job through nginx over TLS', async () => {
    await mainJob(client);
    return 'enrolled, verified, identified, erased';
  });
  await table.check('a bulk job, its events and results through nginx', () => bulkJob(client, story));
  for (const name of parts) {
    if (name === LAST || !isInTime(name)) continue;
    const part = PARTS[name];
    if (part === undefined)
      throw new Error(`There is no part ${name}; there are ${Object.keys(PARTS).join(', ')}, ${LAST}`);
    const started = Date.now();
    await client.renew();
    if (CUT_ANYWHERE.has(name)) table.lastStart = minutes - LONGEST_CHECK_MINUTES - ENDING_MINUTES;
    try {
      await part(table, server, client, story);
    } catch (error) {
      if (!(error instanceof TooLate)) throw error;
      console.log(`── ${name}: NOT RUN from here on, since it could end too late: ${error.message}`);
      break;
    } finally {
      table.lastStart = Infinity;
    }
    const seconds = Math.round((Date.now() - started) / 1_000);
    took.minutes += seconds / 60;
    took.expected += TAKES_MINUTES[name] ?? 0;
    console.log(`── ${name}: ${seconds} s`);
  }
  await client.renew();
  await table.check('the face enrolled at the beginning still matches', async () => {
    const answer = await client.send('POST', story.verifyPath, JSON.stringify({ embedding: story.face }));
    expect(answer.body.includes('"match":true'), answer.body);
    return answer.body;
  });
  await table.check('no log of all this holds an address, a secret or an embedding', () =>
    lookThroughLogs(server),
  );
  if (keep) return;
  await table.check('cleanup asks for the name, and removes all', async () => {
    const asked = await server.run(['cleanup']);
    expect(asked.status !== 0 && server.container('postgres') !== '', 'it did not wait for an answer');
    const { status, text } = await server.run(['cleanup', '--yes-delete-everything']);
    expect(status === 0, text);
    const left = docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${server.project}`);
    expect(left === '', 'containers are left');
    return 'nothing is left';
  });
  if (parts.includes(LAST) && isInTime(LAST)) await checkCompose(table, server);
}

function isInTime(name: string): boolean {
  const pace = took.expected === 0 ? 1 : Math.max(1, took.minutes / took.expected);
  const takes = (TAKES_MINUTES[name] ?? 0) * pace;
  const elapsed = process.uptime() / 60;
  if (elapsed + takes + ENDING_MINUTES <= minutes) return true;
  console.log(
    `── ${name}: NOT RUN, since it takes ${Math.ceil(takes)} minutes here, and ${Math.floor(minutes - elapsed)} are left for the whole`,
  );
  return false;
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr);
}
