import { parseVkey, verifyExport } from '#audit/verification';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { everythingSequenced } from '../harness/audit.js';
import { linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrol, ok, PURPOSE, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function* lines(text: string): AsyncGenerator<string> {
  yield* text.split('\n');
}

const upper = (id: string): string => id.toUpperCase();

test('ids in upper case are those of the log: every entry verifies', async () => {
  const galleryId = upper(await createGallery(client));
  const subjectId = upper(ok(await client.post('/v1/subjects', {})).id);
  const noticeId = upper(ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE })).id);
  expect((await verify(client, galleryId, subjectId, embedding(1))).body.code).toBe('consent_required');
  const unknown = '0190ABCD-0000-7000-8000-00000000ABCD';
  expect((await verify(client, galleryId, unknown, embedding(1))).body.code).toBe('subject_not_found');
  const agreement = { subjectId, purpose: PURPOSE, noticeId, evidence: EVIDENCE };
  const consent = ok(await client.post('/v1/consents', agreement));
  expect([consent.subjectId, consent.noticeId]).toEqual([subjectId.toLowerCase(), noticeId.toLowerCase()]);
  expect(ok(await client.get(`/v1/consents?subjectId=${subjectId}`)).items).toHaveLength(1);
  ok(await enrol(client, galleryId, subjectId, embedding(1)));
  ok(await verify(client, galleryId, subjectId, embedding(1)));
  const job = upper(
    ok(await startJob(client, galleryId, 'identify', linesOf([{ embedding: embedding(1) }]))).id,
  );
  expect((await client.post(`/v1/jobs/${job}/cancel`, {})).status).toBeLessThan(500);
  await everythingSequenced(stack);
  const bundle = ok(await client.get(`/v1/subjects/${subjectId}/audit-bundle`));
  expect(bundle.subjectId).toBe(subjectId.toLowerCase());
  expect(bundle.entries.length).toBeGreaterThanOrEqual(5);
  const of = ok(await client.get(`/v1/admin/audit-events?subjectId=${subjectId}`));
  expect(of.items.length).toBeGreaterThanOrEqual(5);
  const verdict = await exportVerdict();
  expect(verdict.faults).toEqual([]);
  expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
  await everythingSequenced(stack);
  expect((await exportVerdict()).faults).toEqual([]);
});

async function exportVerdict(): Promise<Awaited<ReturnType<typeof verifyExport>>> {
  const key = parseVkey(await (await fetch(`${stack.url}/audit/key`)).text());
  return verifyExport(lines((await client.get('/v1/admin/audit/export')).body), { keys: [key] });
}
