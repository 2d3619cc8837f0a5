import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppProcess } from '../../infra/dev/app-process.js';
import { Stack } from '../harness/stack.js';

const WORKERS = 3;

let stack: Stack;
const workers: AppProcess[] = [];

beforeAll(async () => {
  stack = await Stack.start({ apis: 0, env: { LOG_LEVEL: 'debug' } });
  for (let i = 0; i < WORKERS; i++) workers.push(await stack.startWorker());
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
  await stack.stop();
});

/** What ran, by all workers: BullMQ names each run after its scheduler and its time. */
function runs(): string[] {
  return workers
    .flatMap(({ log }) => log)
    .filter((line) => line.includes('"ran"'))
    .map((line) => String(JSON.parse(line).jobId));
}

const expiries = (): number => runs().filter((run) => run.includes('expire-consents')).length;

test('what recurs runs once each time however many workers there are, also after Redis forgot it', async () => {
  await expect.poll(expiries, { timeout: 40_000, interval: 200 }).toBeGreaterThanOrEqual(2);
  expect(new Set(runs()).size).toBe(runs().length);
  const redis = new Redis(stack.redisUrl);
  await redis.flushdb();
  redis.disconnect();
  const before = expiries();
  await expect.poll(expiries, { timeout: 60_000, interval: 200 }).toBeGreaterThanOrEqual(before + 2);
  expect(new Set(runs()).size).toBe(runs().length);
}, 120_000);
