import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { archiveOf } from './archive.js';
import { CannotEnrol } from './cannot-enrol.js';
import { readListing } from './listing.js';
import { readManifest, writeManifest } from './manifest-file.js';

const scratch = mkdtempSync(join(tmpdir(), 'velum-listing-'));
let made = 0;

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(scratch, String(++made));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

describe('a folder with one folder a person', () => {
  test('is a list of people by their references, and tells what it leaves out', () => {
    const six = Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`carol/${i}.webp`, 'x']));
    const files = {
      'bob/b.JPG': 'b',
      'bob/a.png': 'a',
      'bob/cv.pdf': 'x',
      'dave/x.txt': 'x',
      'list.xlsx': 'x',
    };
    const listing = readListing(folderOf({ ...files, ...six, '.DS_Store': 'x', 'bob/.DS_Store': 'x' }));
    expect(listing.people).toEqual([
      { reference: 'bob', files: ['bob/a.png', 'bob/b.JPG'] },
      { reference: 'carol', files: [1, 2, 3, 4, 5].map((i) => `carol/${i}.webp`) },
    ]);
    expect(listing.skipped.map(({ file }) => file)).toEqual([
      'bob/cv.pdf',
      'carol/6.webp',
      'dave/x.txt',
      'dave/',
      'list.xlsx',
    ]);
  });

  test('finds a person whose name macOS wrote with the accent apart', () => {
    const listing = readListing(folderOf({ ['Zoe\u0308/1.jpg']: 'x' }));
    expect(listing.people[0]?.reference).toBe('Zo\u00eb');
  });

  test('is known again, and known to have changed when a photograph did', () => {
    const folder = folderOf({ 'a/1.jpg': 'one', 'b/1.jpg': 'two' });
    const { digest } = readListing(folder);
    expect(readListing(folder).digest).toBe(digest);
    writeFileSync(join(folder, 'b/1.jpg'), 'owt');
    utimesSync(join(folder, 'b/1.jpg'), 1, 2);
    expect(readListing(folder).digest).not.toBe(digest);
  });

  test('that holds nobody is told so', () => {
    expect(() => readListing(folderOf({ 'notes.txt': 'x' }))).toThrow(CannotEnrol);
    expect(() => readListing(join(scratch, 'nowhere'))).toThrow(/no folder/);
  });
});

describe('a folder with a manifest', () => {
  test('is read as the manifest says, whatever the names are', () => {
    const manifest = 'reference,file,consentId\n"O""Neil, A", x/1.jpg|x/2.jpg ,\nb,missing.jpg,c\n';
    const folder = folderOf({ 'manifest.csv': `\uFEFF${manifest}`, 'x/1.jpg': '1', 'x/2.jpg': '2' });
    const { people, sizes } = readListing(folder);
    expect(people).toEqual([
      { reference: 'O"Neil, A', files: ['x/1.jpg', 'x/2.jpg'] },
      { reference: 'b', consentId: 'c', files: ['missing.jpg'] },
    ]);
    expect([...sizes.keys()]).toEqual(['x/1.jpg', 'x/2.jpg']);
    writeFileSync(
      join(folder, 'manifest.csv'),
      writeManifest(people, (file) => file),
    );
    expect(readManifest(join(folder, 'manifest.csv'))).toEqual(people);
  });

  test('cannot make other files of this machine leave it', () => {
    for (const file of ['../../etc/passwd', 'a/../../b.jpg', '..']) {
      const folder = folderOf({ 'manifest.csv': `reference,file\na,${file}\n` });
      expect(() => readListing(folder)).toThrow(/outside/);
    }
  });

  test('with other columns, or in another encoding, is refused before anything is sent', () => {
    expect(() => readListing(folderOf({ 'manifest.csv': 'name,file\na,b\n' }))).toThrow(/columns/);
    const folder = folderOf({ 'manifest.csv': '' });
    writeFileSync(join(folder, 'manifest.csv'), Buffer.from('reference,file\nZo\xeb,a.jpg\n', 'latin1'));
    expect(() => readListing(folder)).toThrow(/UTF-8/);
  });
});

describe('the upload', () => {
  test('is the same bytes for the same folder, wherever and whenever it is made, as many as announced', async () => {
    const files = { 'b/1.jpg': 'two', 'a/1.jpg': 'one', 'a/ü|\\.png': 'three' };
    const first = folderOf(files);
    const second = folderOf(Object.fromEntries(Object.entries(files).toReversed()));
    utimesSync(join(second, 'a/1.jpg'), 1, 2);
    const [one, other] = await Promise.all(
      [first, second].map(async (folder) => {
        const { bytes, stream } = await archiveOf(readListing(folder));
        const sent = await buffer(stream);
        expect(sent.length).toBe(bytes);
        return sent;
      }),
    );
    expect(one).toEqual(other);
    // Of the first local header (APPNOTE.TXT 4.3.7): 1 January 1980, midnight.
    expect(one?.readUInt32LE(10)).toBe(0x00210000);
  });

  test('is as many bytes as announced for thousands of people too', async () => {
    const names = Array.from({ length: 2_000 }, (_, i) => [`${i}/1.jpg`, 'x'] as const);
    const { bytes, stream } = await archiveOf(readListing(folderOf(Object.fromEntries(names))));
    expect((await buffer(stream)).length).toBe(bytes);
  });

  test('breaks off when a photograph is not what it was when the folder was read', async () => {
    const folder = folderOf({ 'a/1.jpg': 'one', 'b/1.jpg': 'two' });
    const listing = readListing(folder);
    writeFileSync(join(folder, 'b/1.jpg'), 'longer');
    const { stream } = await archiveOf(listing);
    await expect(buffer(stream)).rejects.toThrow(CannotEnrol);
    rmSync(join(folder, 'a/1.jpg'));
    await expect(buffer((await archiveOf(listing)).stream)).rejects.toThrow(CannotEnrol);
  });
});
