import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ApiClient, reasonOf, refusalOf } from './api-client.js';
import { archiveOf } from './archive.js';
import { CannotEnrol } from './cannot-enrol.js';
import type { Job } from './job.js';
import type { Listing } from './listing.js';
import { patiently, Unreachable } from './retry.js';

/** A connection over which nothing passes for so long is dead. */
const STALLED_MS = 120_000;

export interface Upload {
  readonly galleryId: string;
  readonly listing: Listing;
  /** The Idempotency-Key: however often the upload is sent, one job comes of it. */
  readonly key: string;
}

/** Sends the folder until it is acknowledged. `progress` is told the bytes sent, of how many. */
export async function uploadFolder(
  api: ApiClient,
  { galleryId, listing, key }: Upload,
  progress: (sent: number, bytes: number) => void,
): Promise<Job> {
  const url = new URL(`${api.url}/v1/galleries/${galleryId}/jobs?type=enrol`);
  return patiently(async () => {
    const archive = await archiveOf(listing);
    let sent = 0;
    const counted = new Transform({
      transform(part: Buffer, _encoding, done): void {
        sent += part.length;
        progress(sent, archive.bytes);
        done(null, part);
      },
    });
    const headers = {
      authorization: await api.authorization(),
      'content-type': 'application/zip',
      'content-length': archive.bytes,
      'idempotency-key': key,
    };
    const { status, text, retryAfter } = await send(url, headers, (request) =>
      pipeline(archive.stream, counted, request),
    );
    if (status !== 201) throw refusalOf(status, text, retryAfter);
    const job: Job = JSON.parse(text);
    return job;
  }, api.notify);
}

/** Unlike fetch, it announces the length of a stream, and hears an answer that comes before all was sent. */
async function send(
  url: URL,
  headers: RequestOptions['headers'],
  write: (request: NodeJS.WritableStream) => Promise<void>,
): Promise<{ status: number; text: string; retryAfter: string | undefined }> {
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = make(url, { method: 'POST', headers });
  request.setTimeout(STALLED_MS, () => request.destroy(new Unreachable('stalled')));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  // What breaks the writing also breaks the request, unless an answer has come already.
  write(request).catch((error: unknown) => {
    if (error instanceof CannotEnrol) request.destroy(error);
  });
  try {
    const answer = await answered;
    const text = await bodyOf(answer);
    return { status: answer.statusCode ?? 0, text, retryAfter: answer.headers['retry-after'] };
  } catch (error) {
    throw error instanceof CannotEnrol || error instanceof Unreachable
      ? error
      : new Unreachable(reasonOf(error));
  } finally {
    // What was refused early is not sent to its end.
    request.destroy();
  }
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}
