import S3rver from '@20minutes/s3rver';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type DebianPostgres, hasDebianPostgres, startDebianPostgres } from '../harness/debian-postgres.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import type { Ended } from '../harness/velum-command.js';

/** An upload goes in parts of 16 MiB; two of them and a bit. */
const ROWS = 80;

describe.skipIf(!hasDebianPostgres && process.env['CI'] === undefined)('a backup in S3', () => {
  const scratch = mkdtempSync(join(inject('services').scratch, 'backup-s3-'));
  const identity = join(scratch, 'identity.txt');
  const bucket = join(scratch, 's3', 'backups');
  let server: DebianPostgres;
  let s3: S3rver;
  let network: TcpProxy;
  let stack: Stack;
  let env: Record<string, string>;

  const operate = (...args: string[]): Promise<Ended> => velum(env, args);
  /** What S3 answers for, by key. */
  const keys = (): string[] =>
    readdirSync(bucket, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('._S3rver_object'))
      .map((entry) => join(entry.parentPath, entry.name).slice(bucket.length + 1, -'._S3rver_object'.length))
      .sort();
  const ids = (): string[] =>
    keys().flatMap((key) => /^velum\/prod\/(.*)\.manifest\.json$/.exec(key)?.[1] ?? []);

  beforeAll(async () => {
    server = await startDebianPostgres(join(scratch, 'postgres'));
    mkdirSync(bucket, { recursive: true });
    s3 = new S3rver({
      directory: join(scratch, 's3'),
      address: '127.0.0.1',
      port: 0,
      silent: true,
      // It signs the path of a bucket without the slash with which the SDK sends it.
      allowMismatchedSignatures: true,
      configureBuckets: [{ name: 'backups' }],
    });
    const { port } = await s3.run();
    network = await TcpProxy.start(`http://127.0.0.1:${port}`);
    const { stdout: recipient } = await velum({}, ['backup', 'keygen', identity]);
    writeFileSync(join(scratch, 'credential'), 'S3RVER\n');
    stack = await Stack.start({
      server: server.url,
      apis: 0,
      env: {
        BACKUP_TARGET: 's3://backups/velum/prod',
        BACKUP_S3_ENDPOINT: `http://127.0.0.1:${port}`,
        BACKUP_RECIPIENTS: recipient.trim(),
        AWS_ACCESS_KEY_ID_FILE: join(scratch, 'credential'),
        AWS_SECRET_ACCESS_KEY_FILE: join(scratch, 'credential'),
        PATH: `${server.programs}:${process.env['PATH']}`,
      },
    });
    env = { ...stack.env };
    await stack.owner.query(
      `INSERT INTO outbox (id, type, payload, done_at)
       SELECT gen_random_uuid(), 'filler', jsonb_build_object('text', (
         SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 32768) AS m)), now()
       FROM generate_series(1, $1::int) AS n`,
      [ROWS],
    );
  });

  afterAll(async () => {
    await stack?.stop();
    network?.stop();
    await s3?.close();
    server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('is missed while there is none', async () => {
    const list = await operate('backup', 'list', '--max-age-hours', '26');
    expect(list.code).toBe(2);
    expect(list.stderr).toContain('No good backup');
  });

  test('is uploaded in parts, verified, and restored in a drill', async () => {
    const run = await operate('backup', 'run', '--identity', identity);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const [id = ''] = ids();
    expect(keys()).toEqual([
      ...['dump.age', 'manifest.json', 'redis.age'].map((kind) => `velum/prod/${id}.${kind}`),
      `velum/prod/keys/${id}.json.age`,
    ]);
    const list = await operate('backup', 'list', '--max-age-hours', '26', '--json');
    expect(list.code).toBe(0);
    expect(JSON.parse(list.stdout).good[0].bytes).toBeGreaterThan(2 * 2 ** 24);
    expect(await operate('restore-drill', '--identity', identity)).toMatchObject({ code: 0, stderr: '' });
  }, 180_000);

  test('does not come of an upload that is cut off, and the one before stays', async () => {
    const before = keys();
    const running = velum({ ...env, BACKUP_S3_ENDPOINT: network.url }, ['backup', 'run']);
    await network.holdUp('requests', 8 * 2 ** 20);
    network.stop();
    const run = await running;
    expect(run.code).toBe(1);
    expect(keys()).toEqual(before);
    expect(await operate('backup', 'verify')).toMatchObject({ code: 0 });
  });

  test('makes way for newer ones as the policy says, and nothing else in the bucket does', async () => {
    const [first = ''] = ids();
    const other = join(bucket, 'velum', 'other.dump.age._S3rver_object');
    writeFileSync(other, 'of somebody else');
    const policy = { BACKUP_KEEP_DAILY: '0', BACKUP_KEEP_WEEKLY: '0', BACKUP_KEEP_MONTHLY: '0' };
    const run = await velum({ ...env, ...policy }, ['backup', 'run']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`Removed: ${first}.`);
    expect(ids()).toHaveLength(1);
    expect(ids()).not.toContain(first);
    expect(keys()).toContain('velum/other.dump.age');
    expect(await velum({ ...env, ...policy }, ['backup', 'prune'])).toMatchObject({
      code: 0,
      stdout: 'Removed: none.\n',
    });
  });

  test('says so when the credentials are wrong', async () => {
    writeFileSync(join(scratch, 'wrong'), 'WRONG\n');
    const run = await velum({ ...env, AWS_ACCESS_KEY_ID_FILE: join(scratch, 'wrong') }, ['backup', 'run']);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('InvalidAccessKeyId');
    expect(run.stderr).not.toContain('WRONG');
  });
});
