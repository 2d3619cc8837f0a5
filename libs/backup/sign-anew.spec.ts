import { Keyring } from '#platform/keyring';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { listBackups } from './list-backups.js';
import { dumpName, type Manifest, manifestName, writeManifest } from './manifest.js';
import { openStore } from './open-store.js';
import { signAnew } from './sign-anew.js';

const folder = mkdtempSync(join(tmpdir(), 'velum-sign-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [k1, k2] = ['k1', 'k2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);

function keyring(...lines: (string | undefined)[]): Keyring {
  const parsed = Keyring.parse(lines.join('\n'));
  if (parsed === undefined) throw new Error('no keyring');
  return parsed;
}

function manifest(id: string): Manifest {
  return {
    format: 1,
    id,
    takenAt: '2026-01-01T00:00:00Z',
    postgres: 15,
    schema: 'None',
    bytes: 4,
    sha256: '',
    redis: null,
    tables: {},
    encryptionKeys: ['k1'],
    lastAuditEvent: null,
    lastLeaf: null,
    erasuresShipped: 0,
  };
}

test('backups of an old key are known without it once they are signed anew, and forged ones are not', async () => {
  const store = openStore({ kind: 'folder', folder });
  for (const id of ['a', 'b', 'forged']) {
    writeFileSync(join(folder, dumpName(id)), 'dump');
    await writeManifest(store, manifest(id), keyring(id === 'b' ? k2 : k1));
  }
  const path = join(folder, manifestName('forged'));
  writeFileSync(path, readFileSync(path, 'utf8').replace('"None"', '"Other"'));
  expect((await listBackups(store, keyring(k2))).bad).toEqual(['a', 'forged']);

  expect(await signAnew(store, keyring(k2, k1))).toEqual(['a']);
  expect(await signAnew(store, keyring(k2, k1))).toEqual([]);
  const { good, bad } = await listBackups(store, keyring(k2));
  expect([good.map(({ id }) => id), bad]).toEqual([['a', 'b'], ['forged']]);
});
