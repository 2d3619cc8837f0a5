import { MEMORY, NODE_FLAGS } from '#platform/hardening';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  await stack.startCustodian();
});

afterAll(() => stack.stop());

function processes(): readonly (readonly [name: keyof typeof NODE_FLAGS, pid: number])[] {
  return [
    ['api', stack.apis[0]?.pid ?? 0],
    ['worker', stack.worker?.pid ?? 0],
    ['custodian', stack.custodians[0]?.pid ?? 0],
  ];
}

test('a crash of a process writes none of its memory to a disk', () => {
  for (const [name, pid] of processes()) {
    const filter = readFileSync(`/proc/${pid}/coredump_filter`, 'utf8').trim();
    expect([name, Number.parseInt(filter, 16)]).toEqual([name, 0]);
  }
});

test('a process is started without __proto__ and without a debugger that a signal opens, all but the API without eval too', () => {
  for (const [name, pid] of processes()) {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    expect(command.slice(1, -1)).toEqual([...NODE_FLAGS[name], `dist/apps/${name}/main.js`]);
  }
});

test('what a process frees is overwritten', () => {
  const wanted = `GLIBC_TUNABLES=${MEMORY.GLIBC_TUNABLES}`;
  for (const [name, pid] of processes()) {
    // glibc parts the list in its place.
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', ':');
    expect([name, environment.includes(wanted)]).toEqual([name, true]);
  }
  expect(readFileSync('Dockerfile', 'utf8')).toContain(wanted);
});

test('so it is in the image and what starts it', () => {
  const entry = matched('Dockerfile', /^ENTRYPOINT \["node", (.*)\]$/m).replaceAll('"', '');
  expect(entry.split(', ')).toEqual(NODE_FLAGS.api);
  for (const name of ['worker', 'custodian'] as const) {
    const main = `dist\\/apps\\/${name}\\/main.js`;
    const compose = matched('docker-compose.prod.yml', new RegExp(`^ +command: \\[(.*), ${main}\\]$`, 'm'));
    const k8s = matched(`infra/k8s/${name}.yaml`, new RegExp(`^ +args: \\['(.*)', '${main}'\\]$`, 'm'));
    for (const flags of [compose, k8s]) expect([...entry.split(', '), flags]).toEqual(NODE_FLAGS[name]);
  }
});

test('and it counts in threads', () => {
  const probe = `
    const { isMainThread, Worker } = require('node:worker_threads');
    let evaluates = true;
    try { (0, eval)('1'); } catch { evaluates = false; }
    console.log('__proto__' in {}, evaluates);
    if (isMainThread) new Worker(__filename);
  `;
  const file = join(mkdtempSync(join(tmpdir(), 'velum-flags-')), 'probe.cjs');
  writeFileSync(file, probe);
  const { stdout } = spawnSync(process.execPath, [...NODE_FLAGS.worker, file], { encoding: 'utf8' });
  rmSync(dirname(file), { recursive: true });
  expect(stdout).toBe('false false\nfalse false\n');
});

function matched(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
}
