import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createGallery } from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

let stack: Stack;

afterEach(() => stack.stop());

const samples = join(
  dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')),
  'demo',
);

test('told to stop, a process answers what is in flight and ends with 0', async () => {
  stack = await Stack.start();
  const client = await TestClient.create(stack);
  const gallery = await createGallery(client);
  const [api] = stack.apis;
  if (api === undefined) throw new Error('no API');
  const slow = (): Promise<Answer> => {
    const form = new FormData();
    form.append('photo', new Blob([readFileSync(join(samples, 'sample2.jpg'))]), 'photo.jpg');
    return client.post(`/v1/galleries/${gallery}/identify`, form);
  };
  const inFlight = [slow(), slow(), slow()];
  // The process has read the requests when it has opened their audit context: a cheap call behind them is answered.
  await client.get('/health');
  const ended = api.stop('SIGTERM');
  const answers = await Promise.all(inFlight);
  expect(answers.map(({ body }) => body.code)).toEqual(['several_faces', 'several_faces', 'several_faces']);
  expect(await ended).toBe(0);
  await expect(client.get('/health')).rejects.toThrow();
});

test('a worker told to stop ends with 0', async () => {
  stack = await Stack.start({ apis: 0, worker: true });
  expect(await stack.worker?.stop('SIGTERM')).toBe(0);
});
