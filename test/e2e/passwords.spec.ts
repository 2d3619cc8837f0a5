import { Redis } from 'ioredis';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

/** More than one process has connections for. */
const BURST = 30;

let stack: Stack;
let client: TestClient;
let gallery: string;
let subjectId: string;
let databaseFile: string;
let redisFile: string;
let oldPassword: string;
const face = embedding(1);

beforeAll(async () => {
  stack = await Stack.start({ apis: 0, ownServers: true });
  const folder = join(dirname(stack.spoolFolder), 'passwords');
  mkdirSync(folder, { recursive: true });
  [databaseFile, redisFile] = [join(folder, 'database'), join(folder, 'redis')];
  const [database, redis] = [new URL(stack.urls.app), new URL(stack.redisUrl)];
  oldPassword = decodeURIComponent(database.password);
  writeFileSync(databaseFile, `${oldPassword}\n`);
  writeFileSync(redisFile, 'test\n');
  database.password = redis.password = '';
  const env = {
    DATABASE_URL: database.toString(),
    DB_PASSWORD_FILE: databaseFile,
    REDIS_URL: redis.toString(),
    REDIS_PASSWORD_FILE: redisFile,
  };
  Object.assign(stack.env, env);
  await stack.startApi();
  await stack.startWorker();
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  ({ subjectId } = await enrolledPerson(client, gallery, face));
});

afterAll(() => stack.stop());

test('the database’s password is replaced while all connections are made anew, and no request fails', async () => {
  const fresh = 'n3w pass/word';
  await expectServed();
  // One after the other, as deploy.sh rotate database-passwords does.
  const steps: (() => unknown)[] = [
    () => writeFileSync(databaseFile, `${fresh}\n${oldPassword}\n`),
    () => stack.owner.query(`ALTER ROLE velum_app PASSWORD '${fresh}'`),
    () => writeFileSync(databaseFile, `${fresh}\n`),
  ];
  for (const step of steps) {
    await step();
    await disconnectAll();
    await expectServed();
  }
  // The thread that reads rows has a connection of its own: a process that knows no gallery yet needs it.
  const other = client.at((await stack.startApi()).url);
  expect(ok(await identify(other, gallery, face)).candidates).toHaveLength(1);
  await expect(connect(oldPassword)).rejects.toMatchObject({ code: '28P01' });
  await connect(fresh);
});

test('whoever has only a wrong password is told so after a moment, and is let in once it is right', async () => {
  writeFileSync(databaseFile, 'wrong\n');
  await disconnectAll();
  const refused = await verify(client, gallery, subjectId, face);
  expect([refused.status, refused.body.code]).toEqual([503, 'dependency_unavailable']);
  writeFileSync(databaseFile, 'wrong\nn3w pass/word\n');
  await expectServed();
});

test('Redis’s password is replaced while all connections are made anew: requests and queues go on', async () => {
  const operator = new Redis(stack.redisUrl);
  operator.on('error', () => undefined);
  await operator.call('ACL', 'SETUSER', 'default', '>n3w');
  writeFileSync(redisFile, 'n3w\n');
  await operator.call('ACL', 'SETUSER', 'default', '<test');
  await operator.call('CLIENT', 'KILL', 'SKIPME', 'yes');
  operator.disconnect();
  for (const url of [`${stack.url}/health/ready`, `${stack.worker?.internalUrl}/health/ready`]) {
    await expect.poll(async () => (await fetch(url)).status, { timeout: 20_000 }).toBe(200);
  }
  await expectServed();
  const { id } = ok(await startJob(client, gallery, 'identify', linesOf([{ embedding: face }])));
  expect(await endedJob(client, id)).toMatchObject({ state: 'ended', done: 1 });
  const outsider = new Redis(stack.redisUrl, { retryStrategy: () => null });
  outsider.on('error', () => undefined);
  await expect(outsider.ping()).rejects.toThrow();
  outsider.disconnect();
});

async function expectServed(): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: BURST }, () => verify(client, gallery, subjectId, face)),
  );
  expect(
    answers.map(({ status, body }) => (body.match === true ? 'match' : `${status} ${body.code}`)),
  ).toEqual(Array.from({ length: BURST }, () => 'match'));
}

/** Nothing is under way: every connection waits, and is gone before the next request. */
async function disconnectAll(): Promise<void> {
  await stack.owner.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'velum_app' AND application_name = 'velum-api'`,
  );
  await expect
    .poll(async () => {
      const { rows } = await stack.owner.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'velum-api'`,
      );
      return rows[0].n;
    })
    .toBe(0);
}

async function connect(password: string): Promise<void> {
  const url = new URL(stack.urls.app);
  url.password = encodeURIComponent(password);
  const one = new Client({ connectionString: url.toString() });
  await one.connect();
  await one.end();
}
