import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { ZipFile } from 'yazl';
import type { BenchClient } from '../bench-client.js';

export interface BulkJob {
  readonly id: string;
  readonly state: string;
  readonly total: number | null;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly createdAt: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** Starts bulk jobs and waits for them, over HTTP. */
export class BulkClient {
  constructor(
    private readonly url: string,
    private readonly client: BenchClient,
  ) {}

  /** Answers the job and how many bytes were sent. */
  async start(
    galleryId: string,
    type: string,
    mediaType: string,
    input: Readable,
  ): Promise<{ job: BulkJob; bytes: number }> {
    let bytes = 0;
    input.on('data', (part: Buffer) => (bytes += part.length));
    const sent = request(`${this.url}/v1/galleries/${galleryId}/jobs?type=${type}`, {
      method: 'POST',
      headers: { authorization: this.client.authorization, 'content-type': mediaType },
    });
    const answered = new Promise<string>((resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (part: string) => (text += part));
        response.on('end', () => {
          if (response.statusCode === 201) resolve(text);
          else reject(new Error(`a job was answered with ${response.statusCode}: ${text}`));
        });
      });
    });
    await pipeline(input, sent);
    const job: BulkJob = JSON.parse(await answered);
    return { job, bytes };
  }

  async until(id: string, reached: (job: BulkJob) => boolean): Promise<BulkJob> {
    for (;;) {
      const job = await this.client.get<BulkJob>(`/v1/jobs/${id}`);
      if (reached(job)) return job;
      if (job.state === 'failed') throw new Error('the job failed');
      await setTimeout(100);
    }
  }

  ended(id: string): Promise<BulkJob> {
    return this.until(id, ({ endedAt }) => endedAt !== null);
  }

  async cancel(id: string): Promise<void> {
    await this.client.post(`/v1/jobs/${id}/cancel`);
  }
}

/** A ZIP in which person i has photograph i mod n; every photograph is in it once, or once for each if `own`. */
export function photographs(subjects: readonly string[], photos: readonly Buffer[], own = false): Readable {
  const zip = new ZipFile();
  const nameOf = (i: number): string => (own ? `${i}.jpg` : `${i % photos.length}.jpg`);
  const rows = subjects.map((subjectId, i) => `${subjectId},${nameOf(i)}\n`);
  zip.addBuffer(Buffer.from(`subjectId,file\n${rows.join('')}`), 'manifest.csv');
  const files = own ? subjects.length : photos.length;
  for (let i = 0; i < files; i++) {
    zip.addBuffer(photos[i % photos.length] ?? Buffer.alloc(0), nameOf(i), { compress: false });
  }
  zip.end();
  return Readable.from(zip.outputStream);
}

/** Items a second, from the first that was begun to the last that ended. */
export function rateOf({ total, startedAt, endedAt }: BulkJob): number {
  return (total ?? 0) / ((Date.parse(endedAt ?? '') - Date.parse(startedAt)) / 1_000);
}
