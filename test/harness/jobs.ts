import { type ClientRequest, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { ZipFile } from 'yazl';
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

/** A ZIP of these files by name, in their order. */
export async function zipOf(
  files: Readonly<Record<string, string | Buffer>>,
  compress = false,
): Promise<Uint8Array<ArrayBuffer>> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files))
    zip.addBuffer(Buffer.from(content), name, { compress });
  zip.end();
  return new Uint8Array(await buffer(zip.outputStream));
}

/** The job once it is over, and its results by outcome and code: `done`, or the code. */
export async function endOf(
  client: TestClient,
  created: Answer,
): Promise<{ job: Json; outcomes: string[]; lines: Json[] }> {
  const { id } = ok(created);
  const job = await endedJob(client, id);
  const lines = await results(client, id);
  return { job, lines, outcomes: lines.map(({ outcome, code }) => (outcome === 'done' ? 'done' : code)) };
}

/** An upload of which `bytes` were sent and that goes on until it is destroyed or ended. */
export function beginUpload(client: TestClient, galleryId: string, bytes: number): ClientRequest {
  const upload = request(`${client.url}/v1/galleries/${galleryId}/jobs?type=enrol`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.token}`, 'content-type': ZIP },
  });
  upload.on('error', () => undefined);
  upload.write(Buffer.alloc(bytes));
  return upload;
}
