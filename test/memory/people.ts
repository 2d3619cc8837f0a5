import { expect } from 'vitest';
import { endedJob, linesOf, startJob, zipOf } from '../harness/jobs.js';
import { consentingPeople, enrol, identify, ok, verify } from '../harness/story.js';
import type { TestClient } from '../harness/test-client.js';
import type { Photograph } from './photographs.js';

/** Enrols half of the faces one by one and half by a job, and matches some of each: all ways that an embedding can take. */
export async function enrolAndMatch(
  client: TestClient,
  gallery: string,
  faces: readonly (readonly number[])[],
): Promise<void> {
  const half = faces.length / 2;
  const probes = faces.length / 10;
  const people = await consentingPeople(client, faces.length);
  const [singly, inBulk] = [people.slice(0, half), people.slice(half)];
  await each(singly, async ({ subjectId }, i) => {
    ok(await enrol(client, gallery, subjectId, faces[i] ?? []));
  });
  const lines = inBulk.map(({ subjectId }, i) => ({ subjectId, embedding: faces[half + i] }));
  await work(client, gallery, 'enrol', linesOf(lines), half);
  await each(singly.slice(0, probes), async ({ subjectId }, i) => {
    expect(ok(await verify(client, gallery, subjectId, faces[i] ?? [])).match).toBe(true);
    expect(ok(await identify(client, gallery, faces[i] ?? [])).candidates).toHaveLength(1);
  });
  const sought = faces.slice(-probes).map((face) => ({ embedding: face }));
  await work(client, gallery, 'identify', linesOf(sought), probes);
}

/** The same with photographs: as a form, as base64 in JSON, and in a ZIP, stored and packed. */
export async function showAndMatch(
  client: TestClient,
  gallery: string,
  shown: readonly Photograph[],
): Promise<void> {
  const people = await consentingPeople(client, shown.length);
  const files: Record<string, string | Buffer> = {};
  const rows: string[] = ['subjectId,file'];
  for (const [i, { jpeg }] of shown.entries()) {
    const subject = `/v1/galleries/${gallery}/subjects/${people[i]?.subjectId}`;
    const base64 = jpeg.toString('base64');
    if (i % 3 === 0) {
      ok(await client.post(`${subject}/templates`, formOf('photos', jpeg)));
      ok(await client.post(`${subject}/verify`, { photo: base64 }));
    } else if (i % 3 === 1) {
      ok(await client.post(`${subject}/templates`, { photos: [base64] }));
      ok(await client.post(`${subject}/verify`, formOf('photo', jpeg)));
    } else {
      rows.push(`${people[i]?.subjectId},${i}.jpg`);
      files[`${i}.jpg`] = jpeg;
    }
  }
  const manifest = { 'manifest.csv': rows.join('\n') };
  const count = Object.keys(files).length;
  await work(client, gallery, 'enrol', await zipOf({ ...manifest, ...files }), count);
  await work(client, gallery, 'enrol', await zipOf({ ...manifest, ...files }, true), count);
}

/** Requests and jobs of other people, for so long. */
export async function otherTraffic(client: TestClient, gallery: string, seconds: number): Promise<void> {
  const [person] = await consentingPeople(client, 1);
  const face = Array.from({ length: 128 }, (_, i) => Math.sin(i));
  const until = performance.now() + seconds * 1_000;
  ok(await enrol(client, gallery, person?.subjectId ?? '', face));
  while (performance.now() < until) {
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        ok(await verify(client, gallery, person?.subjectId ?? '', face));
        ok(await client.get('/v1/galleries'));
      }),
    );
    await work(client, gallery, 'identify', linesOf([{ embedding: face }]), 1);
  }
}

async function work(
  client: TestClient,
  gallery: string,
  type: string,
  input: string | Uint8Array<ArrayBuffer>,
  items: number,
): Promise<void> {
  const job = ok(await startJob(client, gallery, type, input));
  expect(await endedJob(client, job.id)).toMatchObject({ done: items, failed: 0, refused: 0 });
}

function formOf(field: 'photo' | 'photos', image: Buffer): FormData {
  const body = new FormData();
  body.append(field, new Blob([new Uint8Array(image)]), 'face.jpg');
  return body;
}

async function each<T>(items: readonly T[], act: (item: T, i: number) => Promise<void>): Promise<void> {
  const queue = [...items.entries()];
  const next = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) await act(entry[1], entry[0]);
  };
  await Promise.all(Array.from({ length: 8 }, next));
}
