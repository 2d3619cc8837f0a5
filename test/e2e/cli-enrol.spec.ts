import { FacePool } from '#faces/face-pool';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { retaken, sampleFaces } from '../harness/sample-faces.js';
import { Stack } from '../harness/stack.js';
import { createGallery, ok, PURPOSE } from '../harness/story.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { createCredentials, type Credentials, type Json, TestClient } from '../harness/test-client.js';
import { type Ended, VelumCommand } from '../harness/velum-command.js';

let stack: Stack;
let credentials: Credentials;
let client: TestClient;
let faces: Buffer[];
let notice: string;
let proxy: TcpProxy;
const scratch = mkdtempSync(join(tmpdir(), 'velum-cli-'));
let made = 0;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  credentials = createCredentials(stack);
  client = await TestClient.connect(stack.url, credentials);
  const pool = new FacePool({ workers: 1 });
  faces = await sampleFaces(pool, 3);
  await pool.close();
  notice = ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE })).id;
  proxy = await TcpProxy.start(stack.url);
});

afterAll(async () => {
  proxy.stop();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const face = (i: number): Buffer => faces[i] ?? Buffer.alloc(0);

function folderOf(files: Readonly<Record<string, Buffer | string>>): string {
  const folder = join(scratch, String(++made));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Three people of names that are this folder's alone. */
function threePeople(): { folder: string; names: string[] } {
  const names = ['a', 'b', 'c'].map((name) => `${name}-${made}`);
  return { folder: folderOf(Object.fromEntries(names.map((name, i) => [`${name}/1.jpg`, face(i)]))), names };
}

function photoGallery(): Promise<string> {
  return createGallery(client, { threshold: { targetFalseMatchRate: 0.001 } });
}

function velum(url: string, ...args: string[]): VelumCommand {
  return new VelumCommand(url, credentials, ['enrol', ...args]);
}

function enrol(...args: string[]): Promise<Ended> {
  return velum(stack.url, ...args).ended;
}

async function jobsOf(gallery: string): Promise<string[]> {
  const { rows } = await stack.owner.query<{ id: string }>('SELECT id FROM job WHERE gallery_id = $1', [
    gallery,
  ]);
  return rows.map(({ id }) => id);
}

/** How many templates the person of each reference has in the gallery. */
async function templatesOf(gallery: string, references: readonly string[]): Promise<number[]> {
  return Promise.all(
    references.map(async (reference) => {
      const { items } = ok(await client.get(`/v1/subjects?reference=${reference}`));
      if (items.length === 0) return 0;
      return ok(await client.get(`/v1/galleries/${gallery}/subjects/${items[0].id}/templates`)).length;
    }),
  );
}

async function tokensIssued(): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT 1 FROM audit_event WHERE type = 'token.issued'`);
  return rows.length;
}

function stateOf(folder: string): Json {
  return JSON.parse(readFileSync(join(folder, '.velum-enrol.json'), 'utf8'));
}

describe('a folder of photographs', () => {
  test('is enrolled with one command, by the name of the gallery', async () => {
    const gallery = await photoGallery();
    const { name } = ok(await client.get(`/v1/galleries/${gallery}`));
    const folder = folderOf({
      'ann/1.jpg': face(0),
      'ann/2.jpg': await retaken(face(0)),
      'ben/x.jpeg': face(1),
    });
    const { code, stdout, stderr } = await enrol(folder, '--gallery', name, '--notice', notice);
    expect([code, stderr]).toEqual([0, expect.stringContaining('Uploading: 100 %')]);
    expect(stdout).toContain(`Enrolled 2 of 2 people in "${name}"`);
    expect(await templatesOf(gallery, ['ann', 'ben'])).toEqual([1, 1]);
    const again = new FormData();
    again.append('photo', new Blob([new Uint8Array(await retaken(face(1)))]), 'again.jpg');
    const { candidates } = ok(await client.post(`/v1/galleries/${gallery}/identify`, again));
    const ben = ok(await client.get('/v1/subjects?reference=ben')).items[0].id;
    expect(candidates).toMatchObject([{ subjectId: ben }]);
    expect(existsSync(join(folder, '.velum-enrol.json'))).toBe(false);
  });

  test('with a photograph that is refused names it and the reason, and ends with 2', async () => {
    const gallery = await photoGallery();
    const folder = folderOf({ 'cat/1.jpg': face(0), 'dan/letter.jpg': 'not an image', 'list.txt': 'x' });
    const results = join(scratch, 'results.ndjson');
    const args = [folder, '--gallery', gallery, '--notice', notice, '--results', results];
    const { code, stdout } = await enrol(...args, '--quiet');
    expect(code).toBe(2);
    expect(stdout).toMatch(/Enrolled 1 of 2[^]*1 {2}unsupported_image {2}Send a JPEG[^]*dan\/letter\.jpg/);
    expect(stdout).toMatch(/Not uploaded:\n {2}list\.txt/);
    const lines = readFileSync(results, 'utf8')
      .trim()
      .split('\n')
      .map((line): Json => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({ item: 1, outcome: 'done', reference: 'cat', files: ['cat/1.jpg'] }),
      { item: 2, outcome: 'refused', code: 'unsupported_image', reference: 'dan', files: ['dan/letter.jpg'] },
    ]);
  });

  test('of people who are not known is refused without a notice, and machines are told in JSON', async () => {
    const gallery = await photoGallery();
    const { folder, names } = threePeople();
    const { code, stdout, stderr } = await enrol(folder, '--gallery', gallery, '--json', '--quiet');
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      galleryId: gallery,
      state: 'ended',
      total: 3,
      refused: 3,
      refusals: [{ code: 'subject_not_found', count: 3, names: names.map((name) => `${name}/1.jpg`) }],
    });
    expect(await templatesOf(gallery, names)).toEqual([0, 0, 0]);
  });

  test('gives no new consent to whoever withdrew one', async () => {
    const gallery = await photoGallery();
    const { folder, names } = threePeople();
    const [reference] = names;
    const subject = ok(await client.post('/v1/subjects', { reference }));
    const agreement = { subjectId: subject.id, purpose: PURPOSE, noticeId: notice, evidence: EVIDENCE };
    const consent = ok(await client.post('/v1/consents', agreement));
    ok(await client.post(`/v1/consents/${consent.id}/withdraw`));
    // The second is known, and was never asked.
    ok(await client.post('/v1/subjects', { reference: names[1] }));
    const { code, stdout } = await enrol(folder, '--gallery', gallery, '--notice', notice);
    expect([code, stdout]).toEqual([2, expect.stringContaining('consent_required')]);
    expect(await templatesOf(gallery, names)).toEqual([0, 1, 1]);
  });

  test('with a manifest is enrolled as the manifest says', async () => {
    const gallery = await photoGallery();
    const folder = folderOf({
      'manifest.csv': 'file,reference\nx/1.jpg|x/2.jpg,"Eve, of the ""Night"""\nmissing.jpg,fay\n',
      'x/1.jpg': face(0),
      'x/2.jpg': await retaken(face(0)),
    });
    const { code, stdout } = await enrol(folder, '--gallery', gallery, '--notice', notice);
    expect(code).toBe(2);
    expect(stdout).toMatch(/Enrolled 1 of 2[^]*file_missing[^]*missing\.jpg/);
    expect(await templatesOf(gallery, [encodeURIComponent('Eve, of the "Night"')])).toEqual([1]);
  });
});

describe('an interrupted enrolment', () => {
  test('goes on with --resume after every kind of death, as one job that gives each person one template', async () => {
    const gallery = await photoGallery();
    const { folder, names } = threePeople();
    await stack.worker?.stop();
    const first = [folder, '--gallery', gallery, '--notice', notice];

    // The network swallows the middle of the upload, and the command dies.
    const cutOff = proxy.holdUp('requests', 20_000);
    const uploading = velum(proxy.url, ...first);
    await cutOff;
    await uploading.kill('SIGKILL');
    proxy.letThrough();
    expect(await jobsOf(gallery)).toEqual([]);
    expect(stateOf(folder)).not.toHaveProperty('jobId');
    expect(statSync(join(folder, '.velum-enrol.json')).mode & 0o777).toBe(0o600);

    // Without --resume it is not begun a second time.
    const careless = await enrol(...first);
    expect([careless.code, careless.stderr]).toEqual([1, expect.stringContaining('--resume')]);

    // All of the upload arrives, and the answer does not.
    const lost = proxy.holdUp('answers', 20_000);
    const waiting = velum(proxy.url, folder, '--resume');
    await lost;
    await waiting.kill('SIGKILL');
    proxy.letThrough();
    expect(await jobsOf(gallery)).toHaveLength(1);
    expect(stateOf(folder)).not.toHaveProperty('jobId');

    // The acknowledged job is followed through the death of the API.
    const following = velum(proxy.url, folder, '--resume');
    await expect.poll(() => stateOf(folder).jobId, { timeout: 20_000 }).toBeDefined();
    await stack.apis[0]?.stop('SIGKILL');
    await expect.poll(() => following.stderr, { timeout: 20_000 }).toContain('Trying again');
    proxy.target = (await stack.startApi()).url;
    const interrupted = await following.kill('SIGINT');
    const [job] = await jobsOf(gallery);
    expect([interrupted.code, interrupted.stderr]).toEqual([130, expect.stringContaining(`${job} runs on`)]);

    await stack.startWorker();
    const { code, stdout, stderr } = await velum(proxy.url, folder, '--resume').ended;
    expect([code, stdout, stderr]).toEqual([
      0,
      expect.stringContaining('Enrolled 3 of 3'),
      expect.stringContaining('nothing is uploaded again'),
    ]);
    expect(await jobsOf(gallery)).toEqual([job]);
    client = client.at(proxy.target);
    expect(await templatesOf(gallery, names)).toEqual([1, 1, 1]);
    expect(existsSync(join(folder, '.velum-enrol.json'))).toBe(false);
  });

  test('of a folder that has changed since says so, and sends nothing', async () => {
    const gallery = await photoGallery();
    const { folder, names } = threePeople();
    const cutOff = proxy.holdUp('requests', 20_000);
    const uploading = velum(proxy.url, folder, '--gallery', gallery);
    await cutOff;
    const { code, stderr } = await uploading.kill('SIGINT');
    proxy.letThrough();
    expect([code, stderr]).toEqual([130, expect.stringContaining('--resume')]);
    appendFileSync(join(folder, `${names[0]}/1.jpg`), 'x');
    const resumed = await velum(proxy.url, folder, '--resume').ended;
    expect([resumed.code, resumed.stderr]).toEqual([1, expect.stringContaining('has changed')]);
    expect(await jobsOf(gallery)).toEqual([]);
    const anew = await velum(proxy.url, folder, '--gallery', gallery, '--notice', notice, '--anew').ended;
    expect([anew.code, await jobsOf(gallery)]).toEqual([0, [expect.any(String)]]);
  });

  test('can be cancelled by whoever does not want it any more', async () => {
    const gallery = await photoGallery();
    const { folder, names } = threePeople();
    await stack.worker?.stop();
    const command = velum(proxy.url, folder, '--gallery', gallery, '--notice', notice);
    await expect.poll(() => command.stderr, { timeout: 20_000 }).toContain('waiting for the worker');
    await command.kill('SIGINT');
    const { code, stdout } = await velum(proxy.url, folder, '--cancel').ended;
    expect([code, stdout]).toEqual([1, expect.stringContaining('cancelled')]);
    await stack.startWorker();
    expect(await templatesOf(gallery, names)).toEqual([0, 0, 0]);
  });

  test('outlives its access token', async () => {
    const gallery = await photoGallery();
    const { folder } = threePeople();
    const api = await stack.startApi({ ACCESS_TOKEN_SECONDS: '10' });
    await stack.worker?.stop();
    const before = await tokensIssued();
    const command = velum(api.url, folder, '--gallery', gallery, '--notice', notice);
    await expect.poll(tokensIssued, { timeout: 30_000 }).toBe(before + 2);
    await stack.startWorker();
    expect((await command.ended).code).toBe(0);
  });
});

describe('whoever types the command', () => {
  test('is told what is missing', async () => {
    const { folder } = threePeople();
    const refusals = [
      [[join(scratch, 'nowhere'), '--gallery', 'x'], 'There is no folder'],
      [[folder, '--gallery', 'no such gallery'], 'no gallery "no such gallery". It has: Gallery'],
      [
        [folder, '--gallery', await createGallery(client, { model: 'mine', dimension: 64 })],
        'not photographs',
      ],
      [[folder, '--resume'], 'Nothing of this folder is to be resumed'],
      [[folder, '--gallery', await photoGallery(), '--notice', 'doors'], `${notice}  en  Doors`],
      [[folder, '--gallery', 'x', '--url', 'http://192.0.2.1'], 'https'],
      [[folder, '--gallery', 'x', '--url', 'http://127.0.0.1:9'], 'No API answers'],
      [[folder, '--gallery', 'x', '--client-secret-file', '/dev/null'], '--client-secret-file'],
    ] as const;
    for (const [args, sentence] of refusals) {
      const { code, stdout, stderr } = await velum(proxy.url, ...args).ended;
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(sentence)]);
    }
  });

  test('is told at once that the client may not enrol, however much there is to upload', async () => {
    const few = createCredentials(stack, 'galleries:read galleries:write');
    const gallery = await createGallery(await TestClient.connect(proxy.target, few));
    const folder = folderOf({ 'a/1.jpg': Buffer.alloc(50_000_000) });
    const { code, stderr } = await new VelumCommand(proxy.target, few, [
      'enrol',
      folder,
      '--gallery',
      gallery,
    ]).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('insufficient_scope')]);
    expect(stderr).toContain('jobs:write');
    expect(stderr).not.toContain('Trying again');
  });
});
