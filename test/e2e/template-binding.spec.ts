import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, linesOf, results, startJob } from '../harness/jobs.js';
import { Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  grantConsent,
  identify,
  ok,
  type Person,
  verify,
} from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';
import { asOfTheVersionBefore } from '../harness/version-before.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

/** As somebody who has the database in hand. */
async function sql(statement: string, ...values: readonly unknown[]): Promise<Json[]> {
  return (await stack.owner.query(statement, [...values])).rows;
}

/** Of a process that has seen nothing before. */
async function identifiedAnew(gallery: string, face: readonly number[]): Promise<Json[]> {
  const api = await stack.startApi();
  try {
    return ok(await identify(client.at(api.url), gallery, face, 5)).candidates;
  } finally {
    stack.apis.pop();
    await api.stop();
  }
}

async function breaksOf(gallery: string): Promise<Json[]> {
  return sql(
    "SELECT subject_id, code, details FROM audit_event WHERE type = 'template.binding_broken' AND gallery_id = $1",
    gallery,
  );
}

async function pair(): Promise<{ gallery: string; ada: Person; bob: Person }> {
  const gallery = await createGallery(client);
  const ada = await enrolledPerson(client, gallery, embedding(1));
  const bob = await enrolledPerson(client, gallery, embedding(2));
  return { gallery, ada, bob };
}

test('a row that is moved under another subject and its consent is refused by every match, and made known once', async () => {
  const { gallery, ada, bob } = await pair();
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toMatchObject([
    { subjectId: ada.subjectId },
  ]);
  const before = await Metrics.of(stack.apis[0]?.internalUrl);
  await sql(
    'UPDATE template SET subject_id = $1, consent_id = $2 WHERE subject_id = $3',
    bob.subjectId,
    bob.consentId,
    ada.subjectId,
  );
  for (const seed of [1, 2]) {
    const refusal = await verify(client, gallery, bob.subjectId, embedding(seed));
    expect(refusal).toMatchObject({ status: 409, body: { code: 'template_tampered' } });
  }
  expect((await verify(client, gallery, ada.subjectId, embedding(1))).status).toBe(404);
  // What was in memory before it was moved is still what was enrolled.
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toMatchObject([
    { subjectId: ada.subjectId },
  ]);
  expect(await identifiedAnew(gallery, embedding(1))).toEqual([]);
  expect(await identifiedAnew(gallery, embedding(2))).toMatchObject([{ subjectId: bob.subjectId }]);

  expect(await breaksOf(gallery)).toMatchObject([
    { subject_id: bob.subjectId, code: 'template_tampered', details: { consentId: bob.consentId } },
  ]);
  const after = await Metrics.of(stack.apis[0]?.internalUrl);
  const name = 'velum_broken_bindings_total';
  expect(after.value(name)).toBe((before.value(name) ?? 0) + 1);
  const lines = stack.log.split('\n').filter((line) => line.includes('template_tampered'));
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ context: 'security', message: 'binding broken', count: 1 }),
  );
});

test('a withdrawal is not got round by moving the row under a consent that goes on', async () => {
  const { gallery, ada } = await pair();
  const other = await grantConsent(client, ada.subjectId, 'audit');
  await sql('UPDATE template SET consent_id = $1 WHERE subject_id = $2', other, ada.subjectId);
  await sql('UPDATE gallery SET version = version + 1 WHERE id = $1', gallery);
  await sql(
    'UPDATE template SET version = (SELECT version FROM gallery WHERE id = $2) WHERE subject_id = $1',
    ada.subjectId,
    gallery,
  );
  ok(await client.post(`/v1/consents/${ada.consentId}/withdraw`));
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([]);
  expect(await identifiedAnew(gallery, embedding(1))).toEqual([]);
  expect(await breaksOf(gallery)).toHaveLength(1);
});

test('replicas that hold the gallery take no changed row over either', async () => {
  const { gallery, ada, bob } = await pair();
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toHaveLength(1);
  const [{ version }] = await sql(
    'UPDATE gallery SET version = version + 1 WHERE id = $1 RETURNING version',
    gallery,
  );
  await sql(
    'UPDATE template SET subject_id = $1, consent_id = $2, version = $3 WHERE subject_id = $4',
    bob.subjectId,
    bob.consentId,
    version,
    ada.subjectId,
  );
  const { candidates } = ok(await identify(client, gallery, embedding(1)));
  expect(candidates.map(({ subjectId }: Json) => subjectId)).not.toContain(bob.subjectId);
  expect(await breaksOf(gallery)).toHaveLength(1);
});

test.each([
  ['its contents are changed', `"row" = set_byte("row", 0, get_byte("row", 0) # 1)`],
  ['its slot is changed', 'slot = slot + 1000'],
  ['its id is changed', 'id = gen_random_uuid()'],
  ['its binding is changed', 'binding = set_byte(binding, 31, get_byte(binding, 31) # 1)'],
  ['its binding is removed', 'binding = NULL'],
])('a row is refused once %s', async (_, change) => {
  const { gallery, ada } = await pair();
  await sql(`UPDATE template SET ${change} WHERE subject_id = $1`, ada.subjectId);
  const refusal = await verify(client, gallery, ada.subjectId, embedding(1));
  expect(refusal).toMatchObject({ status: 409, body: { code: 'template_tampered' } });
  expect(await identifiedAnew(gallery, embedding(1))).toEqual([]);
});

test('a row is refused in another gallery, also with the key of its own', async () => {
  const { gallery, ada } = await pair();
  const other = await createGallery(client);
  await sql('UPDATE template SET gallery_id = $1 WHERE gallery_id = $2', other, gallery);
  expect((await verify(client, other, ada.subjectId, embedding(1))).status).toBe(409);
  await sql(
    'UPDATE gallery SET version = 1, binding_key = (SELECT binding_key FROM gallery WHERE id = $1) WHERE id = $2',
    gallery,
    other,
  );
  const api = await stack.startApi();
  const fresh = client.at(api.url);
  expect(await verify(fresh, other, ada.subjectId, embedding(1))).toMatchObject({
    status: 409,
    body: { code: 'template_tampered' },
  });
  expect(await identify(fresh, other, embedding(1))).toMatchObject({
    status: 409,
    body: { code: 'template_tampered' },
  });
  stack.apis.pop();
  await api.stop();
});

test('bulk identification and deduplication leave a moved row out', async () => {
  const { gallery, ada, bob } = await pair();
  const cy = await enrolledPerson(client, gallery, embedding(1));
  await sql(
    'UPDATE template SET subject_id = $1, consent_id = $2 WHERE subject_id = $3',
    bob.subjectId,
    bob.consentId,
    ada.subjectId,
  );
  const worker = await stack.startWorker();
  const probes = linesOf([{ embedding: embedding(1) }]);
  const found = ok(await startJob(client, gallery, 'identify&topK=5', probes)).id;
  await endedJob(client, found);
  expect((await results(client, found)).map(({ candidates }) => candidates)).toMatchObject([
    [{ subjectId: cy.subjectId }],
  ]);
  const duplicates = ok(await client.post(`/v1/galleries/${gallery}/jobs?type=deduplicate`)).id;
  await endedJob(client, duplicates);
  expect(await results(client, duplicates)).toEqual([]);
  expect(await breaksOf(gallery)).toHaveLength(1);
  await worker.stop();
});

test('what the version before enrolled is matched at once, bound by a worker, and never again taken for unbound', async () => {
  const { gallery, ada, bob } = await pair();
  await asOfTheVersionBefore(stack, gallery);
  await sql('UPDATE gallery SET binding_key = NULL WHERE id = $1', gallery);
  const api = await stack.startApi();
  const fresh = client.at(api.url);
  expect(ok(await verify(fresh, gallery, ada.subjectId, embedding(1)))).toEqual({ match: true });
  expect(ok(await identify(fresh, gallery, embedding(2))).candidates).toMatchObject([
    { subjectId: bob.subjectId },
  ]);
  // Into a gallery that has no key yet.
  const cy = await consentingSubject(client);
  ok(await enrol(fresh, gallery, cy.subjectId, embedding(3)));
  expect(ok(await verify(fresh, gallery, cy.subjectId, embedding(3)))).toEqual({ match: true });
  // One that was moved before it could be bound.
  const dee = await enrolledPerson(fresh, gallery, embedding(4));
  const target = await consentingSubject(client);
  await sql(
    'UPDATE template SET subject_id = $1, consent_id = $2 WHERE subject_id = $3',
    target.subjectId,
    target.consentId,
    dee.subjectId,
  );

  const worker = await stack.startWorker();
  await expect
    .poll(() => sql('SELECT subject_id FROM template WHERE gallery_id = $1 AND binding IS NULL', gallery), {
      timeout: 25_000,
      interval: 100,
    })
    .toEqual([{ subject_id: target.subjectId }]);
  expect((await verify(fresh, gallery, target.subjectId, embedding(4))).status).toBe(409);
  for (const [person, seed] of [
    [ada, 1],
    [bob, 2],
    [cy, 3],
  ] as const) {
    expect(ok(await verify(fresh, gallery, person.subjectId, embedding(seed)))).toEqual({ match: true });
  }
  const bound = await sql(
    "SELECT count(*)::int AS n FROM audit_event WHERE type = 'template.bound' AND gallery_id = $1",
    gallery,
  );
  expect(bound).toEqual([{ n: 3 }]);
  await sql('UPDATE template SET binding = NULL WHERE subject_id = $1', ada.subjectId);
  expect((await verify(fresh, gallery, ada.subjectId, embedding(1))).status).toBe(409);
  await worker.stop();
  stack.apis.pop();
  await api.stop();
}, 60_000);

test.each([
  ['verified', (to: string, who: string) => verify(client, to, who, embedding(1))],
  ['read for the first time', (to: string) => identify(client, to, embedding(1))],
])('a row that is bound at the moment that it is %s is not taken for a broken one', async (_, match) => {
  const { gallery, ada } = await pair();
  const bound = await sql('SELECT id, binding FROM template WHERE subject_id = $1', ada.subjectId);
  await asOfTheVersionBefore(stack, gallery);
  // Whoever has read the row asks the log only once the worker has bound it.
  await sql('ALTER FUNCTION unbound_in_audit_log RENAME TO unbound_then');
  await sql(`CREATE FUNCTION unbound_in_audit_log(uuid, uuid[], uuid[], uuid[]) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(4711);
      RETURN QUERY SELECT * FROM unbound_then($1, $2, $3, $4);
    END $$`);
  const worker = await stack.owner.connect();
  try {
    await worker.query('SELECT pg_advisory_lock(4711)');
    const answer = match(gallery, ada.subjectId);
    const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
    await expect.poll(async () => (await sql(waiting)).length, { timeout: 10_000 }).toBe(1);
    for (const { id, binding } of bound) {
      await sql('UPDATE template SET binding = $2 WHERE id = $1', id, binding);
      await sql(
        `INSERT INTO audit_event (id, type, outcome, subject_id, gallery_id, details)
         SELECT gen_random_uuid(), 'template.bound', 'ok', subject_id, gallery_id, jsonb_build_object('templateId', id)
         FROM template WHERE id = $1`,
        id,
      );
    }
    await worker.query('SELECT pg_advisory_unlock(4711)');
    const { match: same, candidates } = ok(await answer);
    expect(same ?? candidates).toEqual(
      same === undefined ? [{ subjectId: ada.subjectId, templateId: bound[0]?.id }] : true,
    );
    expect(await breaksOf(gallery)).toEqual([]);
  } finally {
    worker.release(true);
    await sql('DROP FUNCTION unbound_in_audit_log');
    await sql('ALTER FUNCTION unbound_then RENAME TO unbound_in_audit_log');
  }
});

test('a consent that was withdrawn is not brought back by taking its end away', async () => {
  const gallery = await createGallery(client);
  const ada = await enrolledPerson(client, gallery, embedding(1));
  ok(await client.post(`/v1/consents/${ada.consentId}/withdraw`));
  await sql('UPDATE consent SET ended_at = NULL WHERE id = $1', ada.consentId);
  expect(await verify(client, gallery, ada.subjectId, embedding(1))).toMatchObject({
    status: 403,
    body: { code: 'consent_required' },
  });
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([]);
  expect(await identifiedAnew(gallery, embedding(1))).toEqual([]);
  expect((await enrol(client, gallery, ada.subjectId, embedding(1))).status).toBe(403);
});
