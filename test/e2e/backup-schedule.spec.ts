import { decrypt, parseIdentities } from '#backup/age-file';
import { Redis } from 'ioredis';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startRedis } from '../../infra/dev/redis.js';
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres } from '../harness/debian-postgres.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import type { Json } from '../harness/test-client.js';

/** `backup schedule`, with the lines of its log. */
class Scheduler {
  readonly lines: Json[] = [];
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(env: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, ['dist/apps/cli/main.js', 'backup', 'schedule'], {
      env: { ...env, METRICS_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.child;
    if (stdout !== null) createInterface(stdout).on('line', (line) => this.lines.push(JSON.parse(line)));
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }

  async health(): Promise<number> {
    const working = this.lines.find(({ message }) => message === 'working');
    return working === undefined ? 0 : (await fetch(`${working.internalUrl}/health/ready`)).status;
  }

  async metrics(): Promise<string> {
    const working = this.lines.find(({ message }) => message === 'working');
    return (await fetch(`${working?.internalUrl}/metrics`)).text();
  }

  stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}

describe.skipIf(!hasDebianPostgres && process.env['CI'] === undefined)('a daily backup', () => {
  const scratch = mkdtempSync(join(inject('services').scratch, 'schedule-'));
  const target = join(scratch, 'target');
  const identity = join(scratch, 'identity.txt');
  let server: DebianPostgres;
  let stack: Stack;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startDebianPostgres(join(scratch, 'postgres'));
    const { stdout: recipient } = await velum({}, ['backup', 'keygen', identity]);
    stack = await Stack.start({ server: server.url, apis: 0 });
    env = {
      VELUM_ENV: 'test',
      SECRETS_DIR: stack.env['SECRETS_DIR'] ?? '',
      BACKUP_DATABASE_URL: stack.urls.backup,
      REDIS_URL: stack.redisUrl,
      BACKUP_TARGET: target,
      BACKUP_RECIPIENTS: recipient.trim(),
      PATH: `${server.programs}:${process.env['PATH']}`,
    };
  });

  afterAll(async () => {
    await stack?.stop();
    server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('is made at once where there is none, by a role that may only read, and then the schedule is healthy', async () => {
    const scheduler = new Scheduler(env);
    await expect.poll(() => scheduler.health(), { timeout: 20_000 }).toBe(503);
    expect(await scheduler.metrics()).not.toMatch(/^velum_backup_newest_age_seconds /m);
    await expect.poll(() => scheduler.health(), { timeout: 30_000 }).toBe(200);
    const age = async (): Promise<number> =>
      Number(/^velum_backup_newest_age_seconds (.+)$/m.exec(await scheduler.metrics())?.[1]);
    await expect.poll(age, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await age()).toBeLessThan(60);
    expect(await scheduler.stop()).toBe(0);
    expect(readdirSync(target).filter((name) => name.endsWith('.manifest.json'))).toHaveLength(1);
    expect(scheduler.lines).toContainEqual(
      expect.objectContaining({ level: 'info', context: 'backup', message: 'backup run done' }),
    );
    const verified = await velum(env, ['backup', 'verify', '--identity', identity]);
    expect(verified).toMatchObject({ code: 0, stderr: '' });
  });

  test('is not made again before its time', async () => {
    const scheduler = new Scheduler(env);
    await expect.poll(() => scheduler.health(), { timeout: 20_000 }).toBe(200);
    expect(await scheduler.stop()).toBe(0);
    expect(readdirSync(target).filter((name) => name.endsWith('.manifest.json'))).toHaveLength(1);
  });

  test('that fails is an error in the log, for an alarm, and the schedule is not healthy', async () => {
    const url = new URL(stack.urls.backup);
    url.port = '1';
    const failing = { BACKUP_TARGET: join(scratch, 'elsewhere'), BACKUP_DATABASE_URL: url.toString() };
    const scheduler = new Scheduler({ ...env, ...failing });
    await expect
      .poll(() => scheduler.lines, { timeout: 20_000 })
      .toContainEqual(
        expect.objectContaining({ level: 'error', context: 'backup', message: 'backup run failed' }),
      );
    expect(await scheduler.health()).toBe(503);
    expect(JSON.stringify(scheduler.lines)).not.toContain(url.password);
    expect(await scheduler.stop()).toBe(0);
  });

  test('holds what Redis held, which another Redis reads', async () => {
    const redis = new Redis(stack.redisUrl);
    await redis.set('kept', 'x'.repeat(100_000));
    redis.disconnect();
    const run = await velum(env, ['backup', 'run', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { id } = JSON.parse(run.stdout).manifest;
    const folder = join(scratch, 'redis');
    mkdirSync(folder);
    const sealed = createReadStream(join(target, `${id}.redis.age`));
    const identities = parseIdentities(readFileSync(identity, 'utf8'));
    await pipeline(decrypt(sealed, identities), createWriteStream(join(folder, 'dump.rdb')));
    const other = await startRedis(folder, 'another');
    const reader = new Redis(other.url);
    expect(await reader.get('kept')).toBe('x'.repeat(100_000));
    reader.disconnect();
    await other.stop();
  });

  test('is made without Redis too, and says so', async () => {
    const run = await velum({ ...env, REDIS_URL: 'redis://127.0.0.1:1' }, ['backup', 'run', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: 'No snapshot of Redis could be taken.\n' });
    expect(JSON.parse(run.stdout).manifest.redis).toBeNull();
  });
});
