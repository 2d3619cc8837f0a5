import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const START_MS = 60_000;

/** The best first: not every kernel has overlayfs, or nftables behind iptables. */
const WAYS = [
  { what: 'as it is', legacyIptables: false, options: [] },
  { what: 'with iptables-legacy', legacyIptables: true, options: [] },
  { what: 'with the storage driver vfs', legacyIptables: false, options: ['--storage-driver=vfs'] },
  { what: 'with both', legacyIptables: true, options: ['--storage-driver=vfs'] },
] as const;

/** Each names a process that may be long gone, and whose number may be another's: an engine would not start beside it. */
const PID_FILES = [
  { path: '/var/run/docker.pid', process: 'dockerd' },
  { path: '/var/run/docker/containerd/containerd.pid', process: 'containerd' },
];

/** Runs docker; throws what it said if that fails. */
export function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('docker', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`docker ${args.slice(0, 3).join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** An engine that answers; answers how to stop it, which does nothing to one that ran before. */
export async function startEngine(log: string): Promise<() => Promise<void>> {
  // Somebody may have started one a moment ago.
  if (answers() || (removeStalePids() === 'running' && (await answersInTime()))) return async () => undefined;
  if (spawnSync('dockerd', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    throw new Error('Install the engine: apt-get install docker.io docker-compose iptables debootstrap');
  }
  mkdirSync(dirname(log), { recursive: true });
  for (const { what, legacyIptables, options } of WAYS) {
    const daemon = start(log, options, legacyIptables);
    if (await answersInTime(daemon)) {
      console.log(`The engine was started ${what}.`);
      removeLeftovers();
      daemon.unref();
      return () => stop(daemon);
    }
    console.log(`The engine does not start ${what}.`);
    await stop(daemon);
    removeStalePids();
  }
  throw new Error(`dockerd does not answer:\n${readFileSync(log, 'utf8').split('\n').slice(-30).join('\n')}`);
}

/** An image made of another by these lines of a Dockerfile. */
export function derivedImage(name: string, from: string, lines: readonly string[]): string {
  const { status, stderr } = spawnSync('docker', ['build', '-q', '-t', name, '-'], {
    input: [`FROM ${from}`, ...lines].join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return name;
}

function answers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

async function answersInTime(daemon?: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + START_MS;
  while (!answers()) {
    if (Date.now() > deadline || (daemon !== undefined && hasEnded(daemon))) return false;
    await setTimeout(200);
  }
  return true;
}

function start(log: string, options: readonly string[], legacyIptables: boolean): ChildProcess {
  const output = openSync(log, 'a');
  const path = process.env['PATH'] ?? '';
  return spawn('dockerd', options, {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, PATH: legacyIptables ? `${legacyCommands()}:${path}` : path },
  });
}

/** A folder whose iptables is the legacy one, for one process and not for the machine. */
function legacyCommands(): string {
  const folder = mkdtempSync(join(tmpdir(), 'velum-iptables-'));
  for (const name of ['iptables', 'ip6tables']) symlinkSync(`/usr/sbin/${name}-legacy`, join(folder, name));
  return folder;
}

async function stop(daemon: ChildProcess): Promise<void> {
  if (hasEnded(daemon)) return;
  // Nothing else may keep this process up by now, and an await that nothing can settle ends it with exit code 13.
  daemon.ref();
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  daemon.kill('SIGTERM');
  const late = setTimeout(START_MS, undefined, { ref: false }).then(() => daemon.kill('SIGKILL'));
  await Promise.race([ended, late]);
}

function hasEnded(daemon: ChildProcess): boolean {
  return daemon.pid === undefined || daemon.exitCode !== null || daemon.signalCode !== null;
}

/** Whether one of them really runs. */
function removeStalePids(): 'running' | 'none' {
  let running: 'running' | 'none' = 'none';
  for (const { path, process: name } of PID_FILES) {
    const pid = contents(path);
    if (pid === undefined) continue;
    if (contents(`/proc/${pid}/comm`) === name) running = 'running';
    else rmSync(path, { force: true });
  }
  return running;
}

function contents(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** An engine brings back what ran when it was killed: stacks of runs before, which would take this one's time. */
function removeLeftovers(): void {
  const named = docker(
    'ps',
    '-aq',
    '--filter',
    'label=com.docker.compose.project',
    '--filter',
    'name=^velumtest\\d',
  );
  const containers = named.split('\n').filter(Boolean);
  if (containers.length > 0) docker('rm', '-f', ...containers);
}
