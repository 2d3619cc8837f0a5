import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const START_MS = 30_000;

/** Runs docker; throws what it said if that fails. */
export function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('docker', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`docker ${args.slice(0, 3).join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** An engine that answers; answers how to stop it, which does nothing to one that ran before. */
export async function startEngine(log: string): Promise<() => void> {
  if (answers()) return () => undefined;
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'a');
  const daemon = spawn('dockerd', [], { detached: true, stdio: ['ignore', output, output] });
  const missing = new Promise<never>((_, reject) =>
    daemon.once('error', () =>
      reject(new Error('Install the engine: apt-get install docker.io docker-compose iptables debootstrap')),
    ),
  );
  const deadline = Date.now() + START_MS;
  const up = (async () => {
    while (!answers()) {
      if (Date.now() > deadline) throw new Error(`dockerd does not answer; ${log} says why`);
      await setTimeout(200);
    }
  })();
  await Promise.race([up, missing]);
  daemon.unref();
  return () => daemon.kill('SIGTERM');
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
  return spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;
}
