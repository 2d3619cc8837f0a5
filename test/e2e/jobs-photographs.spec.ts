import { FacePool } from '#faces/face-pool';
import { INPUT_REFUSALS, type InputRefusal } from '#jobs/jobs.errors';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endOf, linesOf, startJob, zipOf } from '../harness/jobs.js';
import { retaken, sampleFaces } from '../harness/sample-faces.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let faces: Buffer[];
let blank: Buffer;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  const pool = new FacePool({ workers: 1 });
  faces = await sampleFaces(pool, 3);
  await pool.close();
  blank = await sharp({ create: { width: 200, height: 200, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
});

afterAll(() => stack.stop());

let made = 0;

async function photoGallery(): Promise<string> {
  const body = { name: `Photographs ${++made}`, purpose: 'access_control' };
  return ok(await client.post('/v1/galleries', body)).id;
}

async function jobOf(files: Record<string, string | Buffer>, compress = false): Promise<Json> {
  const zip = await zipOf(files, compress);
  return (await endOf(client, await startJob(client, await photoGallery(), 'enrol', zip))).job;
}

const face = (i: number): Buffer => faces[i] ?? Buffer.alloc(0);

test('an archive of photographs is enrolled and identified; what cannot be used is refused item by item', async () => {
  const gallery = await photoGallery();
  const people = await Promise.all([1, 2, 3].map(() => consentingSubject(client)));
  const [first, second] = people.map(({ subjectId }) => subjectId);
  ok(await client.post('/v1/subjects', { reference: 'Ωmega, "the last"' }));
  const rows = [
    ['subjectId', 'reference', 'consentId', 'file'],
    ...people.map(({ subjectId, consentId }, i) => [subjectId, '', consentId, `faces/${i}.jpg`]),
    [first, '', '', 'faces/0.jpg|faces/0 again.jpg'],
    ['', '"Ωmega, ""the last"""', '', 'faces/0.jpg'],
    [second, '', '', 'faces/nobody.jpg'],
    [second, '', '', 'notes.txt'],
    [second, '', '', 'blank.png'],
    [first, '', '', 'faces/0.jpg'],
    ['not-an-id', '', '', 'faces/0.jpg'],
    [second, '', '', ''],
  ];
  const zip = await zipOf({
    'manifest.csv': rows.map((row) => `${row.join(',')}\r\n`).join(''),
    'faces/0.jpg': face(0),
    'faces/1.jpg': face(1),
    'faces/2.jpg': face(2),
    'faces/0 again.jpg': await retaken(face(0)),
    'notes.txt': 'this is not a photograph',
    'blank.png': blank,
    'never named.jpg': face(1),
  });
  const enrolled = await endOf(client, await startJob(client, gallery, 'enrol', zip));
  expect(enrolled.outcomes).toEqual([
    'done',
    'done',
    'done',
    'done',
    'consent_required',
    'file_missing',
    'unsupported_image',
    'no_face',
    'duplicate_item',
    'item_malformed',
    'item_malformed',
  ]);
  const probes = await zipOf({
    'manifest.ndjson': linesOf([{ file: 'c.jpg' }, { file: 'a.jpg' }, { files: ['blank.png'] }]),
    'a.jpg': await retaken(face(0)),
    'c.jpg': await retaken(face(2)),
    'blank.png': blank,
  });
  const { outcomes, lines } = await endOf(client, await startJob(client, gallery, 'identify', probes));
  expect(outcomes).toEqual(['done', 'done', 'no_face']);
  expect(lines.slice(0, 2).map(({ candidates }) => candidates[0]?.subjectId)).toEqual([
    people[2]?.subjectId,
    first,
  ]);
}, 120_000);

test('an archive that names nobody who is known ends, after it has started', async () => {
  const manifest = `reference,file\n${'nobody,a.jpg\n'.repeat(500)}`;
  const job = await jobOf({ 'manifest.csv': manifest, 'a.jpg': face(0) });
  expect(job).toMatchObject({ state: 'ended', total: 500, refused: 500 });
  expect(Date.parse(job.endedAt)).toBeGreaterThanOrEqual(Date.parse(job.startedAt));
});

test('a gallery that reports pictures of faces does so in bulk as well', async () => {
  const body = { name: 'Reporting', purpose: 'access_control', presentationAttack: 'report' };
  const gallery = ok(await client.post('/v1/galleries', body)).id;
  const { subjectId } = await consentingSubject(client);
  const zip = await zipOf({ 'manifest.csv': `subjectId,file\n${subjectId},a.jpg\n`, 'a.jpg': face(0) });
  const enrolled = await endOf(client, await startJob(client, gallery, 'enrol', zip));
  expect(enrolled.lines).toMatchObject([{ subjectId, spoofSuspected: expect.any(Boolean) }]);
  const found = await endOf(client, await startJob(client, gallery, 'identify', zip));
  expect(found.lines).toMatchObject([
    { candidates: [{ subjectId }], spoofSuspected: enrolled.lines[0].spoofSuspected },
  ]);
});

describe('an archive is refused as a whole, with a code, when', () => {
  const manifest = 'subjectId,file\n';

  test('it is no ZIP, or is cut off', async () => {
    const whole = await zipOf({ 'manifest.csv': manifest });
    for (const bytes of [new Uint8Array(Buffer.from('this is not a ZIP')), whole.slice(0, -10)]) {
      const { job } = await endOf(client, await startJob(client, await photoGallery(), 'enrol', bytes));
      expect(job).toMatchObject({ state: 'failed', code: 'archive_unreadable', total: null });
    }
  });

  test.each([['../../etc/passwd'], ['/etc/passwd'], ['C:/x.jpg'], ['a/../../x.jpg'], ['a\\..\\..\\x.jpg']])(
    'a name in it leaves its folder: %s',
    async (name) => {
      // yazl refuses to write such a name: a harmless one of the same length is replaced in the bytes.
      const harmless = 'n'.repeat(name.length);
      const zip = Buffer.from(await zipOf({ 'manifest.csv': manifest, [harmless]: 'x' }));
      const unsafe = Buffer.from(zip.toString('latin1').replaceAll(harmless, name), 'latin1');
      const created = await startJob(client, await photoGallery(), 'enrol', new Uint8Array(unsafe));
      expect((await endOf(client, created)).job).toMatchObject({ state: 'failed', code: 'archive_unsafe' });
    },
  );

  test('it unpacks to far more than it may', async () => {
    const zeros = Buffer.alloc(64 * 2 ** 20);
    const files = { 'manifest.csv': manifest, 'a.jpg': zeros, 'b.jpg': zeros };
    expect(await jobOf(files, true)).toMatchObject({ state: 'failed', code: 'archive_bomb' });
  });

  test('entries of it overlap', async () => {
    const zip = Buffer.from(await zipOf({ 'a.jpg': face(0), 'b.jpg': 'x', 'manifest.csv': manifest }));
    const entry = Buffer.from([0x50, 0x4b, 1, 2]);
    const second = zip.indexOf(entry, zip.indexOf(entry) + 4);
    // Into the bytes of a.jpg: a better ZIP bomb has thousands of entries that share theirs.
    zip.writeUInt32LE(1, second + 42);
    const created = await startJob(client, await photoGallery(), 'enrol', new Uint8Array(zip));
    expect((await endOf(client, created)).job).toMatchObject({ state: 'failed', code: 'archive_bomb' });
  });

  test.each([
    ['is cut off', 20, -1],
    ['is longer than the directory says', 24, -1],
    ['is not the one that was packed', 16, 1],
  ])('the manifest in it %s', async (_, field, change) => {
    const rows = Array.from({ length: 1_000 }, (_row, i) => `${i},${i}.jpg\n`).join('');
    const zip = Buffer.from(await zipOf({ 'manifest.csv': manifest + rows }, true));
    const at = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + field;
    zip.writeUInt32LE((zip.readUInt32LE(at) + change) >>> 0, at);
    const created = await startJob(client, await photoGallery(), 'enrol', new Uint8Array(zip));
    expect((await endOf(client, created)).job).toMatchObject({ state: 'failed', code: 'archive_unreadable' });
  });

  test('it has no manifest, or one in another encoding, with other columns or without rows', async () => {
    const refused: [Record<string, string | Buffer>, InputRefusal][] = [
      [{ 'a.jpg': face(0) }, 'manifest_missing'],
      [{ 'manifest.csv': Buffer.from('subjectId,file\n1,é.jpg', 'latin1') }, 'manifest_malformed'],
      [{ 'manifest.csv': Buffer.from('\ufeffsubjectId,file\n', 'utf16le') }, 'manifest_malformed'],
      [{ 'manifest.csv': 'person,file\n1,a.jpg' }, 'manifest_malformed'],
      [{ 'manifest.csv': `${manifest}${'x'.repeat(20_000)}` }, 'manifest_malformed'],
      [{ 'manifest.csv': `${manifest}1,a "good" face.jpg` }, 'manifest_malformed'],
      [{ 'manifest.csv': manifest }, 'no_items'],
    ];
    for (const [files, code] of refused) {
      const job = await jobOf(files);
      expect(job).toMatchObject({ state: 'failed', code, detail: INPUT_REFUSALS[code] });
    }
  });

  test('its manifest has ten million lines', async () => {
    const files = { 'manifest.csv': manifest + '1,a\n'.repeat(10_000_000), a: 'x' };
    expect(await jobOf(files, true)).toMatchObject({ state: 'failed', code: 'too_many_items' });
  });
});

test('NDJSON in another encoding, with a line that never ends, or of too many lines, is refused as a whole', async () => {
  const gallery = await photoGallery();
  const inputs: [Buffer | string, string][] = [
    [Buffer.from('{"subjectId":"é"}', 'utf16le'), 'input_not_utf8'],
    ['x'.repeat(200_000), 'line_too_long'],
    ['{}\n'.repeat(200_001), 'too_many_items'],
    ['\n\r\n\n', 'no_items'],
  ];
  for (const [input, code] of inputs) {
    const body = new Uint8Array(Buffer.from(input));
    const type = { 'content-type': 'application/x-ndjson' };
    const { job } = await endOf(client, await startJob(client, gallery, 'enrol', body, type));
    expect(job).toMatchObject({ state: 'failed', code });
  }
  const most = await startJob(client, gallery, 'enrol', '{}\n'.repeat(200_000));
  await expect
    .poll(async () => ok(await client.get(`/v1/jobs/${most.body.id}`)).total, { timeout: 30_000 })
    .toBe(200_000);
  ok(await client.post(`/v1/jobs/${most.body.id}/cancel`));
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM job_item JOIN job ON job.id = job_id WHERE job.state = 'failed'`,
  );
  expect(rows[0].n).toBe(0);
});
