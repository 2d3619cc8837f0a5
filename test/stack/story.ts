import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { expect } from './check.js';
import type { Answer, StackClient } from './client.js';

const DIMENSION = 128;

interface WithId {
  readonly id: string;
}

/** A gallery with one enrolled person, for whoever sends load. */
export interface Story {
  readonly gallery: string;
  readonly subject: string;
  readonly face: readonly number[];
  /** Verifies that person. */
  readonly verifyPath: string;
}

export function randomFace(): number[] {
  return Array.from({ length: DIMENSION }, () => Math.random() - 0.5);
}

/** Enrols, verifies and identifies one person, and erases another, over HTTPS. */
export async function mainJob(client: StackClient): Promise<Story> {
  const gallery = await client.json<WithId>('POST', '/v1/galleries', {
    name: `Stack ${Date.now()}`,
    purpose: 'access_control',
    model: 'stack-test',
    dimension: DIMENSION,
    threshold: { cosine: 0.9 },
  });
  const notice = await client.json<WithId>('POST', '/v1/notices', { purpose: 'access_control', ...NOTICE });
  const enrolled = async (face: readonly number[]): Promise<string> => {
    const { id } = await client.json<WithId>('POST', '/v1/subjects', {});
    const consent = { subjectId: id, purpose: 'access_control', noticeId: notice.id, evidence: EVIDENCE };
    await client.json('POST', '/v1/consents', consent);
    await client.json('POST', `/v1/galleries/${gallery.id}/subjects/${id}/templates`, { embedding: face });
    return id;
  };
  const found = async (face: readonly number[]): Promise<string[]> => {
    const { candidates } = await client.json<{ candidates: { subjectId: string }[] }>(
      'POST',
      `/v1/galleries/${gallery.id}/identify`,
      { embedding: face },
    );
    return candidates.map(({ subjectId }) => subjectId);
  };
  const [face, other] = [randomFace(), randomFace()];
  const [subject, leaver] = [await enrolled(face), await enrolled(other)];
  const verifyPath = `/v1/galleries/${gallery.id}/subjects/${subject}/verify`;
  const verified = async (probe: readonly number[]): Promise<boolean> =>
    (await client.json<{ match: boolean }>('POST', verifyPath, { embedding: probe })).match;
  expect(await verified(face), 'the face is not accepted');
  expect(!(await verified(other)), 'another face is accepted');
  expect((await found(other)).join() === leaver, 'the face is not found');
  await client.json('DELETE', `/v1/subjects/${leaver}`);
  expect((await found(other)).length === 0, 'an erased face is found');
  return { gallery: gallery.id, subject, face, verifyPath };
}

/** Looks for who is on it, in a gallery of photographs that has nobody. */
export async function sendPhotograph(client: StackClient, jpeg: Buffer): Promise<Answer> {
  const gallery = await galleryOfPhotographs(client);
  const body = JSON.stringify({ photo: jpeg.toString('base64') });
  return client.send('POST', `/v1/galleries/${gallery}/identify`, body);
}

/** A bulk job of one search by a photograph, whose input waits until a worker is there. */
export async function uploadPhotograph(client: StackClient, jpeg: Buffer): Promise<void> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from('file\nprobe.jpg\n'), 'manifest.csv');
  // As it is: what is packed would be found by nobody.
  zip.addBuffer(jpeg, 'probe.jpg', { compress: false });
  zip.end();
  const gallery = await galleryOfPhotographs(client);
  const { status, body } = await client.stream(
    'POST',
    `/v1/galleries/${gallery}/jobs?type=identify`,
    Readable.from(zip.outputStream),
    { 'content-type': 'application/zip' },
  );
  expect(status < 300, `the upload was answered ${status}: ${body}`);
}

async function galleryOfPhotographs(client: StackClient): Promise<string> {
  const { id } = await client.json<WithId>('POST', '/v1/galleries', {
    name: `Photographs ${Date.now()}`,
    purpose: 'access_control',
  });
  return id;
}

/** A bulk job from its upload to its results, followed by server-sent events. */
export async function bulkJob(client: StackClient, { gallery, subject, face }: Story): Promise<string> {
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({ embedding: i === 0 ? face : randomFace() }),
  );
  const created = await client.send('POST', `/v1/galleries/${gallery}/jobs?type=identify`, lines.join('\n'), {
    'content-type': 'application/x-ndjson',
  });
  expect(created.status < 300, `the upload was answered ${created.status}: ${created.body}`);
  const { id } = JSON.parse(created.body) as WithId;
  const started = Date.now();
  const events = await client.send('GET', `/v1/jobs/${id}/events`);
  expect(events.body.includes('event: end'), `the events end with: ${events.body.slice(-200)}`);
  const results = await client.send('GET', `/v1/jobs/${id}/results`);
  const found = results.body.split('\n').filter(Boolean);
  expect(found.length === lines.length, `${found.length} results of ${lines.length}`);
  expect(found[0]?.includes(subject) ?? false, `the first is not the one who is enrolled: ${found[0]}`);
  return `${lines.length} searches, over ${Date.now() - started} ms after the upload`;
}
