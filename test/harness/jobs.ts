import { expect } from 'vitest';
import { ok } from './story.js';
import type { Answer, Json, TestClient } from './test-client.js';

export const NDJSON = 'application/x-ndjson';
export const ZIP = 'application/zip';

export function linesOf(items: readonly object[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join('');
}

/** `type` may go on with settings: `identify&topK=3`. */
export function startJob(
  client: TestClient,
  galleryId: string,
  type: string,
  input: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const mediaType = typeof input === 'string' ? NDJSON : ZIP;
  return client.send('POST', `/v1/galleries/${galleryId}/jobs?type=${type}`, input, {
    'content-type': mediaType,
    ...headers,
  });
}

/** The job once it is over. */
export async function endedJob(client: TestClient, jobId: string, timeout = 60_000): Promise<Json> {
  let job: Json;
  await expect
    .poll(
      async () => {
        job = ok(await client.get(`/v1/jobs/${jobId}`));
        return job.endedAt;
      },
      { timeout, interval: 50 },
    )
    .not.toBeNull();
  return job;
}

export async function results(client: TestClient, jobId: string, cursor?: string): Promise<Json[]> {
  const path = `/v1/jobs/${jobId}/results${cursor === undefined ? '' : `?cursor=${cursor}`}`;
  const text = String(ok(await client.get(path)));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
