import { makeKeyPair } from '#backup/age-file';
import { writeManifest } from '#backup/manifest';
import { openStore } from '#backup/open-store';
import { loadConfig } from '#platform/config';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

/** What records say of that which the worker sees and does, and the API does not. */
let stack: Stack;
let client: TestClient;
let officer: TestClient;

const folder = join(inject('services').scratch, `records-worker-${process.pid}`);
const takenAt = new Date(Date.now() - 5 * 3_600_000);
takenAt.setMilliseconds(0);

beforeAll(async () => {
  stack = await Stack.start();
  await writeManifest(
    openStore({ kind: 'folder', folder }),
    {
      format: 1,
      id: 'of-this-morning',
      takenAt: takenAt.toISOString(),
      postgres: 18,
      schema: 'any',
      bytes: 1,
      sha256: '',
      redis: null,
      tables: {},
      encryptionKeys: [],
      lastAuditEvent: null,
      erasuresShipped: 0,
    },
    loadConfig(stack.env).secrets.dbEncryptionKeys,
  );
  // Of all processes that serve, the worker alone is told where backups are.
  const { recipient } = await makeKeyPair();
  await stack.startWorker({ BACKUP_TARGET: folder, BACKUP_RECIPIENTS: recipient });
  client = await TestClient.create(stack);
  officer = await TestClient.create(stack, 'admin:compliance');
});

afterAll(() => stack.stop());

const read = async (name: string): Promise<Json> => ok(await officer.get(`/v1/admin/records/${name}`));
const control = async (id: string): Promise<Json> =>
  (await read('controls')).controls.find((each: Json) => each.id === id);

describe('backups', () => {
  test('are in every record, by what the worker saw', async () => {
    await expect
      .poll(() => control('A.8.13'), { timeout: 30_000 })
      .toMatchObject({
        state: 'met',
        evidence: { target: 'folder', newest: takenAt.toISOString(), ageHours: 5 },
      });
    expect((await read('impact')).lastBackup).toBe(takenAt.toISOString());
    expect((await read('processing')).transfers).toMatchObject({
      backupTarget: 'folder',
      backupRegion: null,
    });
  });

  test('in another region are named by it, and one that is two days old is not good enough', async () => {
    await stack.owner.query(
      `UPDATE backup_sighting SET target = 's3', region = 'eu-central-1', newest_at = now() - interval '50 hours'`,
    );
    expect((await read('processing')).transfers).toMatchObject({
      backupTarget: 's3',
      backupRegion: 'eu-central-1',
    });
    expect(await control('A.8.13')).toMatchObject({ state: 'not_met', evidence: { ageHours: 50 } });
  });

  test('that no worker has been able to look at for an hour are for a person to judge', async () => {
    await stack.owner.query(`UPDATE backup_sighting SET looked_at = now() - interval '61 minutes'`);
    expect(await control('A.8.13')).toMatchObject({ state: 'needs_person', evidence: { newest: 'unknown' } });
    expect((await read('impact')).lastBackup).toBe('unknown');
  });
});

test('logs that are kept for less long than a law of somebody asks for are a control that is not met, with the numbers', async () => {
  ok(await client.post('/v1/subjects', { jurisdiction: 'EU-GDPR' }));
  expect((await control('A.5.33')).evidence).toMatchObject({
    logsKeptDays: 366,
    logsAskedForDays: 366,
    logsAskedForBy: 'EU-GDPR: P1Y',
  });
  ok(await client.post('/v1/subjects', { jurisdiction: 'US-IL-BIPA' }));
  expect(await control('A.5.33')).toMatchObject({
    state: 'not_met',
    evidence: { logsKeptDays: 366, logsAskedForDays: 1_827, logsAskedForBy: 'US-IL-BIPA: P5Y' },
  });
});

test('a purpose of which only held data is left still names its people, what is held and its time limits', async () => {
  const purpose = 'attendance';
  const galleryId = await createGallery(client, { purpose });
  const noticeId = ok(await client.post('/v1/notices', { purpose, ...NOTICE })).id;
  const subjectId = ok(await client.post('/v1/subjects', { jurisdiction: 'IN-DPDP' })).id;
  const consent = { subjectId, purpose, noticeId, evidence: EVIDENCE };
  const consentId = ok(await client.post('/v1/consents', consent)).id;
  ok(await enrol(client, galleryId, subjectId, embedding(1)));
  ok(await client.post(`/v1/consents/${consentId}/withdraw`));
  const ofPurpose = async (): Promise<Json> =>
    (await read('processing')).clients[0].purposes.find((each: Json) => each.purpose === purpose);
  await expect
    .poll(async () => (await ofPurpose()).galleries, { timeout: 20_000 })
    .toMatchObject([{ templates: 0, heldTemplates: 1 }]);
  const { subjects, timeLimits } = await ofPurpose();
  expect(subjects).toEqual([{ jurisdiction: 'IN-DPDP', subjects: 1 }]);
  expect(timeLimits).toContainEqual(
    expect.objectContaining({ jurisdiction: 'IN-DPDP', rule: 'After the end of the consent', limit: 'P1Y' }),
  );
  const { necessity, retention } = await read('impact');
  expect(necessity.find((each: Json) => each.purpose === purpose).subjects).toBe(1);
  expect(retention.length).toBeGreaterThan(0);
});
