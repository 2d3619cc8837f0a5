import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, ok } from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let gallery: string;
let subjectId: string;
let verifyPath: string;
let templatesPath: string;

const samples = join(
  dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')),
  'demo',
);
const group = readFileSync(join(samples, 'sample1.jpg'));

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  ({ subjectId } = await consentingSubject(client));
  templatesPath = `/v1/galleries/${gallery}/subjects/${subjectId}/templates`;
  verifyPath = `/v1/galleries/${gallery}/subjects/${subjectId}/verify`;
  ok(await client.post(templatesPath, { embedding: embedding(1) }));
});

afterAll(() => stack.stop());

function upload(image: Uint8Array, path = `/v1/galleries/${gallery}/identify`): Promise<Answer> {
  const form = new FormData();
  form.append('photo', new Blob([new Uint8Array(image)]), 'photo.jpg');
  return client.post(path, form);
}

/** A PNG of 30,000 × 30,000 black pixels: under a megabyte of file, 2.7 gigabytes of image. */
function hugePng(): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(30_000, 0);
  header.writeUInt32BE(30_000, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const data = deflateSync(Buffer.alloc(90_001 * 100));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const named = Buffer.concat([Buffer.from(type), body]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, crc]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const svg = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><rect width="9" height="9"/></svg>',
);
const black = (): Promise<Buffer> =>
  sharp({ create: { width: 300, height: 300, channels: 3, background: '#000' } })
    .jpeg()
    .toBuffer();

describe('an image that cannot be used is refused with a reason', () => {
  test.each<[string, number, string, () => Buffer | Promise<Buffer>]>([
    ['30,000 × 30,000 pixels', 413, 'image_too_large', hugePng],
    ['11 MB', 413, 'image_too_large', () => Buffer.alloc(11 * 2 ** 20, 1)],
    ['a JPEG that was cut off', 422, 'image_unreadable', () => group.subarray(0, 20_000)],
    ['an SVG', 415, 'unsupported_image', () => svg],
    ['a GIF', 415, 'unsupported_image', () => sharp(svg).gif().toBuffer()],
    ['a text', 415, 'unsupported_image', () => Buffer.from('I am no photograph')],
    ['an empty file', 415, 'unsupported_image', () => Buffer.alloc(0)],
    [
      'a PNG of rubbish',
      422,
      'image_unreadable',
      () => Buffer.concat([hugePng().subarray(0, 8), Buffer.alloc(500, 7)]),
    ],
    ['a picture of nobody', 422, 'no_face', black],
    ['a picture of several people', 422, 'several_faces', () => group],
  ])('%s', async (_what, status, code, make) => {
    const answer = await upload(await make());
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body.detail.length).toBeGreaterThan(20);
  });

  test('as base64 too, and a data: URL is told what to leave out', async () => {
    const asText = await client.post(verifyPath, { photo: svg.toString('base64') });
    expect(asText.body.code).toBe('unsupported_image');
    const url = await client.post(verifyPath, { photo: 'data:image/png;base64,AAAA' });
    expect([url.status, url.body.code, url.body.errors[0].field]).toEqual([400, 'invalid_request', 'photo']);
  });
});

describe('a body that cannot be used is refused with a reason', () => {
  test.each<[string, string, object | string, number, string]>([
    ['malformed JSON', 'verify', '{"embedding": [1, 2', 400, 'malformed_body'],
    ['no sample', 'verify', {}, 400, 'invalid_request'],
    ['two samples', 'verify', { embedding: embedding(1), photo: 'AAAA' }, 400, 'invalid_request'],
    ['an unknown member', 'verify', { embedding: embedding(1), treshold: 1 }, 400, 'invalid_request'],
    ['a text for numbers', 'verify', { embedding: 'abc' }, 400, 'invalid_request'],
    [
      'a null among the numbers',
      'verify',
      { embedding: [null, ...embedding(1).slice(1)] },
      400,
      'invalid_request',
    ],
    ['an infinite number', 'verify', '{"embedding":[1e999]}', 400, 'invalid_request'],
    ['a wrong length', 'verify', { embedding: [1, 2, 3] }, 422, 'embedding_invalid'],
    ['zeros only', 'verify', { embedding: embedding(1).map(() => 0) }, 422, 'embedding_invalid'],
    ['an array', 'verify', [], 400, 'invalid_request'],
    ['a topK of a thousand', 'identify', { embedding: embedding(1), topK: 1_000 }, 400, 'invalid_request'],
    [
      'six photographs',
      'templates',
      { photos: Array.from({ length: 6 }, () => 'AAAA') },
      400,
      'invalid_request',
    ],
  ])('%s', async (_what, call, body, status, code) => {
    const path = {
      verify: verifyPath,
      identify: `/v1/galleries/${gallery}/identify`,
      templates: templatesPath,
    }[call];
    const answer = await client.post(path ?? '', body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test('another kind of body', async () => {
    const answer = await client.post(verifyPath, 'embedding=1', { 'content-type': 'text/plain' });
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  test('more photographs than the call takes, as files or as base64', async () => {
    const form = new FormData();
    for (const name of ['one.jpg', 'two.jpg']) form.append('photo', new Blob([new Uint8Array(group)]), name);
    const files = await client.post(`/v1/galleries/${gallery}/identify`, form);
    expect([files.status, files.body.code, files.body.errors]).toEqual([
      400,
      'invalid_request',
      [{ field: 'photos', message: 'must be at most 1' }],
    ]);
    const photo = Buffer.alloc(14 * 2 ** 20, 1).toString('base64');
    const large = await client.post(`/v1/galleries/${gallery}/identify`, { photo });
    expect([large.status, large.body.code]).toEqual([413, 'body_too_large']);
  });

  test('a megabyte where a kilobyte is expected', async () => {
    const answer = await client.post('/v1/subjects', { reference: 'x'.repeat(2 ** 20) });
    expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large']);
  });

  test.each<[string, object, string]>([
    ['a gallery without a name', { purpose: 'audit' }, 'name'],
    ['a purpose in capitals', { name: 'x', purpose: 'AUDIT' }, 'purpose'],
    [
      'both kinds of threshold',
      { name: 'x', purpose: 'audit', threshold: { cosine: 0.9, targetFalseMatchRate: 0.01 } },
      'threshold',
    ],
    ['a cosine above one', { name: 'x', purpose: 'audit', threshold: { cosine: 1.5 } }, 'threshold.cosine'],
  ])('%s', async (_what, body, field) => {
    const answer = await client.post('/v1/galleries', body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test('an id that is none, and a null byte in a text', async () => {
    expect((await client.get('/v1/galleries/not-an-id')).body.code).toBe('invalid_request');
    const answer = await client.post('/v1/galleries', { name: 'a\u0000b', purpose: 'audit' });
    expect([answer.status, answer.body.code, answer.body.errors]).toEqual([
      400,
      'invalid_request',
      undefined,
    ]);
  });
});

test('five hundred bad images and bodies leave the memory flat and the service up', async () => {
  const bad = [hugePng(), group.subarray(0, 50_000), svg, Buffer.from('text'), await black()];
  const round = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 5) {
      const answers = await Promise.all([
        ...bad.slice(0, 4).map((image) => upload(image)),
        client.post(verifyPath, '{"embedding": ['),
      ]);
      for (const { status } of answers) expect(status).toBeGreaterThanOrEqual(400);
      for (const { status } of answers) expect(status).toBeLessThan(500);
    }
  };
  await round(150);
  const before = rss();
  await round(500);
  expect(rss() - before).toBeLessThan(80);
  expect(ok(await client.post(verifyPath, { embedding: embedding(1) }))).toEqual({ match: true });
}, 180_000);

/** Megabytes that the API process holds. */
function rss(): number {
  const status = readFileSync(`/proc/${stack.apis[0]?.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

test('no line of the log holds an embedding, an image, a token, a secret or an address', async () => {
  const token = client.token.slice(0, 40);
  await client.get('/v1/galleries/10.20.30.40');
  expect(stack.log.length).toBeGreaterThan(1_000);
  expect(stack.log).not.toContain(token);
  expect(stack.log).not.toMatch(/(-?\d+\.\d+,\s*){4}/);
  expect(stack.log.replaceAll(/"(url|internalUrl)":"[^"]*"/g, '')).not.toMatch(
    /\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/,
  );
  expect(stack.log).not.toMatch(/[A-Za-z0-9+/]{200,}/);
});

test('refused access is a line of the security log, with its code and the hash of the address', async () => {
  const refused = await new TestClient(stack.url, 'rubbish').get('/v1/galleries');
  expect(refused.status).toBe(401);
  const lines = stack.log.split('\n').filter((line) => line.startsWith('{'));
  const requestId = refused.body.requestId;
  const told = lines.map((line) => JSON.parse(line)).filter((line) => line.requestId === requestId);
  expect(told.filter(({ context }) => context === 'security')).toEqual([
    expect.objectContaining({
      message: 'refused',
      code: 'unauthenticated',
      status: 401,
      ipHash: expect.stringMatching(/^[0-9a-f]{32}$/),
    }),
  ]);
  // Nobody's whereabouts can be followed through the other lines.
  expect(
    told.filter(({ context }) => context !== 'security').every(({ ipHash }) => ipHash === undefined),
  ).toBe(true);
});

test('a stranger who sends a body slowly is refused at once, and cut off', async () => {
  const path = '/v1/galleries/019ac5c0-3c11-7a2e-b1d4-6f7e8d9c0a03/jobs?type=enrol';
  for (const type of ['application/json', 'application/x-ndjson']) {
    const headers = { 'content-type': type, 'content-length': '100000' };
    const slow = request(`${stack.url}${path}`, { method: 'POST', headers });
    const cutOff = once(slow, 'close');
    slow.on('error', () => undefined);
    slow.write('{');
    const [answer]: IncomingMessage[] = await once(slow, 'response');
    expect([type, answer?.statusCode]).toEqual([type, 401]);
    answer?.resume();
    await cutOff;
  }
});
