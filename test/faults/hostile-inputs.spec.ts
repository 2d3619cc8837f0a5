import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endOf, startJob, zipOf } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  gallery = await createGallery(client);
  // Not the most that Node takes on this machine: what an input makes grow shows soon.
  await stack.startWorker({ NODE_OPTIONS: '--max-old-space-size=256' });
});

afterAll(() => stack.stop());

test('a manifest of long lines is read by a worker that has less memory than it takes', async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => `${i}${'x'.repeat(15_000)},a.jpg\n`);
  // As much else as makes what the manifest unpacks to no bomb.
  const files = { 'manifest.csv': `reference,file\n${rows.join('')}`, 'a.jpg': randomBytes(4 * 2 ** 20) };
  const zip = await zipOf(files, true);
  const { job } = await endOf(client, await startJob(client, gallery, 'enrol', zip));
  expect(job).toMatchObject({ state: 'ended', total: 20_000, refused: 20_000 });
});

test('an archive whose names alone fill the memory is refused', async () => {
  const zip = directoryOf(2_300, 60_000);
  const { job } = await endOf(client, await startJob(client, gallery, 'enrol', zip));
  expect(job).toMatchObject({ state: 'failed', code: 'archive_unreadable' });
});

/** A central directory of files that are empty, with long names (APPNOTE.TXT 4.3.12 and 4.3.16). */
function directoryOf(entries: number, nameBytes: number): Uint8Array<ArrayBuffer> {
  const directory = Buffer.alloc(entries * (46 + nameBytes), 'n');
  for (let i = 0; i < entries; i++) {
    const at = i * (46 + nameBytes);
    directory.fill(0, at, at + 46);
    directory.writeUInt32LE(0x02014b50, at);
    directory.writeUInt16LE(nameBytes, at + 28);
    directory.write(String(i), at + 46);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(directory.length, 12);
  return new Uint8Array(Buffer.concat([directory, end]));
}
