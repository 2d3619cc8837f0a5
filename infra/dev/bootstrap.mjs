// Runs on the machine's own Node (20 or newer), before anything is installed: it installs what is missing, builds
// what changed, and starts the compiled command with the Node 24 of the package `node`.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const SOURCES = ['apps', 'libs', 'infra', 'test', 'bench'];
const COMMANDS = {
  demo: ['dist/infra/dev/demo.js'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  'test:faults': ['node_modules/vitest/vitest.mjs', 'run', 'dist/test/faults'],
  'test:dumps': ['node_modules/vitest/vitest.mjs', 'run', 'dist/test/dumps'],
  'test:stack': ['dist/test/stack/main.js'],
  unit: ['node_modules/vitest/vitest.mjs', 'run', 'dist/libs', 'dist/apps'],
  velum: ['dist/infra/dev/velum.js'],
  bench: ['dist/bench/main.js'],
  'bench:search': ['dist/bench/search/main.js'],
  'bench:jobs': ['dist/bench/jobs/main.js'],
  'bench:dedup': ['dist/bench/dedup/main.js'],
  'bench:audit': ['dist/bench/audit/main.js'],
  'bench:consent': ['dist/bench/consent/main.js'],
  'bench:custody': ['dist/bench/custody/main.js'],
  'bench:accuracy': ['dist/bench/accuracy/main.js'],
};

const [name, ...args] = process.argv.slice(2);
if (name !== 'build' && !Object.hasOwn(COMMANDS, name ?? '')) {
  console.error(
    `Usage: node infra/dev/bootstrap.mjs <build | ${Object.keys(COMMANDS).join(' | ')}> [arguments]`,
  );
  process.exit(2);
}
process.chdir(root);
install();
build();
if (name !== 'build') run(COMMANDS[name]);

function install() {
  const marker = 'node_modules/.velum-installed';
  const wanted = digest(['package-lock.json']);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return;
  step('Installing packages (once, about a minute)', 'npm', ['ci', '--no-audit', '--no-fund']);
  writeFileSync(marker, wanted);
}

function build() {
  const marker = 'dist/.velum-built';
  const wanted = digest([...SOURCES.flatMap(filesBelow), 'tsconfig.json', 'package-lock.json']);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return;
  // From nothing, so that no compiled file outlives its source.
  rmSync('dist', { recursive: true, force: true });
  step('Building', process.platform === 'win32' ? 'npm.cmd' : 'npm', ['run', '--silent', 'compile']);
  mkdirSync('dist', { recursive: true });
  writeFileSync(marker, wanted);
}

function run(command) {
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` };
  const child = spawn('node_modules/.bin/node', [...command, ...args], { stdio: 'inherit', env });
  // Ctrl-C reaches the child through the terminal too; it stops once, however often it is told.
  process.on('SIGINT', () => child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

function step(what, command, parameters) {
  // Standard output is the command's: `npm run --silent velum -- … --json` is read by programs.
  process.stderr.write(`${what} … `);
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(command, parameters, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status === 0) {
    console.error(`${((Date.now() - started) / 1000).toFixed(1)} s`);
    return;
  }
  const tail = `${stdout ?? ''}\n${stderr ?? ''}`.trim().split('\n').slice(-30).join('\n');
  console.error(`failed\n${tail}`);
  process.exit(1);
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : /\.(ts|mjs)$/.test(path) ? [path] : [];
    })
    .sort((a, b) => (a < b ? -1 : 1));
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(existsSync(file) ? readFileSync(file) : '');
  return hash.digest('hex');
}
