import S3rver from '@20minutes/s3rver';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { decrypt, parseIdentities } from '#backup/age-file';
import { velum } from '../harness/operator.js';
import type { Ended } from '../harness/velum-command.js';

const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
const TODAY = new Date().toISOString().slice(0, 10).replaceAll('-', '');

const scratch = mkdtempSync(join(inject('services').scratch, 'backup-logs-'));
const logs = join(scratch, 'logs');
const bucket = join(scratch, 's3', 'backups');
let s3: S3rver;
let env: Record<string, string>;

beforeAll(async () => {
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
  const { stdout: recipient } = await velum({}, ['backup', 'keygen', join(scratch, 'identity.txt')]);
  writeFileSync(join(scratch, 'credential'), 'S3RVER\n');
  writeFileSync(join(scratch, 'key'), `k1:${Buffer.alloc(32, 7).toString('base64')}\n`);
  env = {
    BACKUP_RECIPIENTS: recipient.trim(),
    BACKUP_S3_ENDPOINT: `http://127.0.0.1:${port}`,
    DB_ENCRYPTION_KEY_FILE: join(scratch, 'key'),
    AWS_ACCESS_KEY_ID_FILE: join(scratch, 'credential'),
    AWS_SECRET_ACCESS_KEY_FILE: join(scratch, 'credential'),
  };
});

afterAll(async () => {
  await s3?.close();
  rmSync(scratch, { recursive: true, force: true });
});

beforeEach(() => {
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs);
});

/** As Fluentd leaves it, an hour ago. */
function write(name: string, content: Buffer, minutesAgo = 60): void {
  writeFileSync(join(logs, name), content);
  const then = new Date(Date.now() - minutesAgo * 60_000);
  utimesSync(join(logs, name), then, then);
}

async function opened(sealed: Buffer): Promise<string> {
  const identities = parseIdentities(readFileSync(join(scratch, 'identity.txt'), 'utf8'));
  const chunks: Uint8Array[] = [];
  for await (const chunk of decrypt(
    (async function* () {
      yield sealed;
    })(),
    identities,
  )) {
    chunks.push(chunk);
  }
  return gunzipSync(Buffer.concat(chunks)).toString();
}

const TARGETS = {
  'a folder': {
    target: () => join(scratch, 'target'),
    keys: () => (existsSync(join(scratch, 'target/logs')) ? filesBelow(join(scratch, 'target')) : []),
    at: (key: string) => join(scratch, 'target', key),
  },
  S3: {
    target: () => 's3://backups/velum/prod',
    keys: () =>
      filesBelow(bucket)
        .filter((name) => name.endsWith('._S3rver_object'))
        .map((name) => name.slice('velum/prod/'.length, -'._S3rver_object'.length)),
    at: (key: string) => join(bucket, 'velum/prod', `${key}._S3rver_object`),
  },
};

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

describe.each(Object.entries(TARGETS))('logs archived to %s', (_, { target, keys, at }) => {
  const read = (key: string): Buffer => readFileSync(at(key));
  const archive = (more: Record<string, string> = {}): Promise<Ended> =>
    velum({ ...env, BACKUP_TARGET: target(), ...more }, ['backup', 'logs', logs]);
  const daily = (more: Record<string, string> = {}): Promise<Ended> =>
    velum({ ...env, BACKUP_TARGET: target(), ...more }, ['backup', 'logs']);

  test('are the days that are over: stored encrypted, and then no longer in the folder', async () => {
    const line = '{"message":"refused","context":"security","ipHash":"0f"}\n';
    write(`facial-api-security.${YESTERDAY}_0.log.gz`, gzipSync(line));
    write(`facial-api-app.${YESTERDAY}_0.log.gz`, gzipSync('{"message":"answered"}\n'));
    write(`facial-api-app.${TODAY}_0.log.gz`, gzipSync('{"message":"of today"}\n'));
    write(`facial-api-nginx.${YESTERDAY}_0.log.gz`, gzipSync('{"message":"still being written"}\n'), 1);
    write('stand-in.ndjson', Buffer.from('of somebody else'));
    const run = await archive();
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(logs).sort()).toEqual([
      `facial-api-app.${TODAY}_0.log.gz`,
      `facial-api-nginx.${YESTERDAY}_0.log.gz`,
      'stand-in.ndjson',
    ]);
    const stored = keys().filter((key) => key.startsWith('logs/'));
    expect(stored.map((key) => key.replace(/-[0-9a-f]{16}\./, '-ID.')).sort()).toEqual([
      `logs/facial-api-app/${YESTERDAY}-ID.log.gz.age`,
      `logs/facial-api-security/${YESTERDAY}-ID.log.gz.age`,
    ]);
    const [security = ''] = stored.filter((key) => key.includes('security'));
    expect(read(security).includes('ipHash')).toBe(false);
    expect(await opened(read(security))).toBe(line);
  });

  test('never write over one another, though Fluentd gives a name anew once it is free', async () => {
    const of = (): number => keys().filter((key) => key.includes(`facial-api-app/${YESTERDAY}`)).length;
    const before = of();
    write(`facial-api-app.${YESTERDAY}_0.log.gz`, gzipSync('{"message":"late"}\n'));
    expect(await archive()).toMatchObject({ code: 0 });
    expect(of()).toBe(before + 1);
  });

  test('do not include a file that is cut off: it stays, and the exit code says so', async () => {
    const before = keys();
    const whole = gzipSync('x'.repeat(10_000));
    write(`facial-api-app.${YESTERDAY}_1.log.gz`, whole.subarray(0, whole.length - 5));
    const run = await archive();
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(`facial-api-app.${YESTERDAY}_1.log.gz`);
    expect(readdirSync(logs)).toHaveLength(1);
    expect(keys()).toEqual(before);
  });

  test('are removed after as many days as are set, and backups are not', async () => {
    const others = ['20200101T000000.000Z-abcdef.dump.age', 'logs/facial-api-app/20200101-notes.txt'];
    for (const other of others) writeFileSync(at(other), 'of somebody else');
    write('facial-api-security.20200101_0.log.gz', gzipSync('{"message":"old"}\n'));
    expect(await archive({ BACKUP_KEEP_LOG_DAYS: '10000' })).toMatchObject({ code: 0 });
    const left = keys().length;
    const run = await archive();
    expect(run.stdout).toContain('Removed: logs/facial-api-security/20200101-');
    expect(keys()).toHaveLength(left - 1);
    expect(keys()).toEqual(expect.arrayContaining(others));
  });

  test('are looked for where LOG_ARCHIVE_DIR says, and nowhere if it does not', async () => {
    write(`facial-api-app.${YESTERDAY}_0.log.gz`, gzipSync('{"message":"daily"}\n'));
    expect(await daily()).toMatchObject({ code: 0 });
    expect(readdirSync(logs)).toHaveLength(1);
    expect(await daily({ LOG_ARCHIVE_DIR: logs })).toMatchObject({ code: 0 });
    expect(readdirSync(logs)).toHaveLength(0);
  });

  test('stay in the folder while the target cannot be reached', async () => {
    write(`facial-api-app.${YESTERDAY}_0.log.gz`, gzipSync('{"message":"kept"}\n'));
    const run = await velum(
      { ...env, BACKUP_TARGET: 's3://backups/velum/prod', BACKUP_S3_ENDPOINT: 'http://127.0.0.1:1' },
      ['backup', 'logs', logs],
    );
    expect(run.code).toBe(1);
    expect(readdirSync(logs)).toHaveLength(1);
  });
});
