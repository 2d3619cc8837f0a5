import { FacePool } from '#faces/face-pool';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { retaken, sampleFaces } from '../harness/sample-faces.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, ok } from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let faces: Buffer[];
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  const pool = new FacePool({ workers: 1 });
  faces = await sampleFaces(pool, 4);
  await pool.close();
  gallery = await photoGallery({});
});

afterAll(() => stack.stop());

let made = 0;

async function photoGallery(settings: object): Promise<string> {
  const body = { name: `Photographs ${++made}`, purpose: 'access_control', ...settings };
  return ok(await client.post('/v1/galleries', body)).id;
}

const face = (i: number): Buffer => faces[i] ?? Buffer.alloc(0);

function form(field: 'photo' | 'photos', images: readonly Buffer[]): FormData {
  const body = new FormData();
  images.forEach((image, i) => body.append(field, new Blob([new Uint8Array(image)]), `${i}.jpg`));
  return body;
}

function enrol(galleryId: string, subjectId: string, body: FormData | object): Promise<Answer> {
  return client.post(`/v1/galleries/${galleryId}/subjects/${subjectId}/templates`, body);
}

function verify(galleryId: string, subjectId: string, body: FormData | object): Promise<Answer> {
  return client.post(`/v1/galleries/${galleryId}/subjects/${subjectId}/verify`, body);
}

describe('a person enrolled by photograph', () => {
  test('is accepted on another photograph, and somebody else is refused', async () => {
    const { subjectId } = await consentingSubject(client);
    ok(await enrol(gallery, subjectId, form('photos', [face(0)])));
    const again = await retaken(face(0));
    expect(ok(await verify(gallery, subjectId, form('photo', [again])))).toEqual({ match: true });
    expect(ok(await verify(gallery, subjectId, form('photo', [face(1)])))).toEqual({ match: false });
    const base64 = { photo: again.toString('base64') };
    expect(ok(await verify(gallery, subjectId, base64))).toEqual({ match: true });
    const found = ok(await client.post(`/v1/galleries/${gallery}/identify`, form('photo', [again])));
    expect(found.candidates).toEqual([{ subjectId, templateId: expect.any(String) }]);
  });

  test('from several photographs has one template, made of all of them', async () => {
    const { subjectId } = await consentingSubject(client);
    const photos = [face(2), await retaken(face(2)), await sharp(face(2)).flop().jpeg().toBuffer()];
    ok(await enrol(gallery, subjectId, { photos: photos.map((photo) => photo.toString('base64')) }));
    const path = `/v1/galleries/${gallery}/subjects/${subjectId}/templates`;
    expect(ok(await client.get(path))).toMatchObject([{ photos: 3, bytes: 512 }]);
    expect(ok(await verify(gallery, subjectId, form('photo', [face(2)])))).toEqual({ match: true });
  });

  test('is not enrolled at all if one of the photographs is not good enough', async () => {
    const { subjectId } = await consentingSubject(client);
    const blurred = await sharp(face(1)).blur(7).png().toBuffer();
    const refused = await enrol(gallery, subjectId, form('photos', [face(1), blurred]));
    expect([refused.status, refused.body.code]).toEqual([422, 'blurred']);
    expect(refused.body.errors).toEqual([{ field: 'photos[1]', message: expect.any(String) }]);
    expect(ok(await client.get(`/v1/galleries/${gallery}/subjects/${subjectId}/templates`))).toEqual([]);
  });

  test('from six photographs is told that five are the most', async () => {
    const { subjectId } = await consentingSubject(client);
    const six = Array.from({ length: 6 }, () => face(0));
    const refused = await enrol(gallery, subjectId, form('photos', six));
    expect(refused.status).toBe(400);
    const base64 = six.map((photo) => photo.toString('base64'));
    expect((await enrol(gallery, subjectId, { photos: base64 })).status).toBe(400);
  });
});

describe('a photograph that may show a picture of a face', () => {
  test('is told of where the gallery reports it, refused where it refuses, and not looked for otherwise', async () => {
    const { subjectId } = await consentingSubject(client);
    const [off, report, refuse] = [
      await photoGallery({ presentationAttack: 'off' }),
      await photoGallery({ presentationAttack: 'report' }),
      await photoGallery({ presentationAttack: 'refuse' }),
    ];
    const send = (galleryId: string): Promise<Answer> =>
      enrol(galleryId, subjectId, form('photos', [face(0)]));
    expect(ok(await send(off))).not.toHaveProperty('spoofSuspected');
    const { spoofSuspected } = ok(await send(report));
    expect(typeof spoofSuspected).toBe('boolean');
    const answer = await send(refuse);
    // The signals are what they are for this photograph; the two policies must agree about it.
    expect([answer.status, answer.body.code]).toEqual(
      spoofSuspected === true ? [422, 'spoof_suspected'] : [201, undefined],
    );
  });
});

test('no photograph, and no embedding of one, is kept in the database or in a log', async () => {
  const { subjectId } = await consentingSubject(client);
  ok(await enrol(gallery, subjectId, form('photos', [face(3)])));
  const pool = new FacePool({ workers: 1 });
  const analysis = await pool.analyse(new Uint8Array(face(3)), false);
  await pool.close();
  const embedding = analysis.ok ? analysis.embedding : new Float32Array();
  const traces = [
    face(3).subarray(1000, 1024).toString('hex'),
    Buffer.from(embedding.slice(40, 44).buffer).toString('hex'),
  ];
  const { rows: tables } = await stack.owner.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_schema IN ('public', 'custody')`,
  );
  expect(tables.length).toBeGreaterThan(10);
  for (const { name } of tables) {
    const { rows } = await stack.owner.query<{ text: string }>(`SELECT t::text FROM ${name} t`);
    const text = rows.map((row) => Object.values(row).join(' ')).join('\n');
    for (const trace of traces) expect([name, text.includes(trace)]).toEqual([name, false]);
  }
  for (const trace of traces) expect(stack.log).not.toContain(trace);
});
