import { Queue } from 'bullmq';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginUpload } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
});

afterAll(() => stack.stop());

const spooled = (): string[] => readdirSync(stack.spoolFolder);

async function answerTo(upload: ClientRequest): Promise<{ status: number; body: Json }> {
  const [answer]: IncomingMessage[] = await once(upload.end(), 'response');
  return { status: answer?.statusCode ?? 0, body: answer && (await json(answer)) };
}

test('an upload so slow that it was swept is not acknowledged', async () => {
  const upload = beginUpload(client, gallery, 1_000);
  await expect.poll(() => spooled().length).toBe(1);
  const longAgo = Date.now() / 1_000 - 3_700;
  utimesSync(join(stack.spoolFolder, spooled()[0] ?? ''), longAgo, longAgo);
  await stack.startWorker();
  const queue = new Queue('velum-recurring', { connection: { url: stack.redisUrl } });
  await queue.add('sweep-jobs', {});
  await queue.close();
  await expect.poll(spooled, { timeout: 20_000 }).toEqual([]);
  await stack.worker?.stop();
  const { status, body } = await answerTo(upload);
  expect([status, body.code]).toEqual([400, 'job_input_cut_off']);
  expect(ok(await client.get('/v1/jobs')).items).toEqual([]);
});

test('a client that uploads many inputs at once has a hundred jobs at the most', async () => {
  const uploads = Array.from({ length: 105 }, () => beginUpload(client, gallery, 1_000));
  await expect.poll(() => spooled().length, { timeout: 30_000 }).toBe(105);
  const answers = await Promise.all(uploads.map(answerTo));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(100);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused.map(({ body }) => body.code)).toEqual(Array.from({ length: 5 }, () => 'too_many_jobs'));
  expect(spooled()).toHaveLength(100);
});
