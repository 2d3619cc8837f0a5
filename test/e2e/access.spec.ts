import { afterAll, beforeAll, expect, test } from 'vitest';
import { linesOf, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, ok } from '../harness/story.js';
import { releasedIncident } from '../harness/incidents.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly scope: string | undefined;
  readonly spec: Json;
}

let stack: Stack;
let owner: TestClient;
let operations: Operation[];
const ids: Record<string, string> = {};

beforeAll(async () => {
  stack = await Stack.start();
  owner = await TestClient.create(stack);
  const galleryId = await createGallery(owner);
  const { subjectId, consentId } = await consentingSubject(owner);
  const template = ok(await enrol(owner, galleryId, subjectId, embedding(1)));
  const { noticeId } = ok(await owner.get(`/v1/consents/${consentId}`));
  const job = ok(await startJob(owner, galleryId, 'enrol', linesOf([{ subjectId }])));
  const webhook = ok(await owner.post('/v1/webhooks', { url: 'https://hooks.example.com/velum' }));
  const request = { subjectId, kind: 'access', channel: 'app' };
  const { id: caseId } = ok(await owner.post('/v1/rights-requests', request));
  const hold = ok(await owner.post('/v1/admin/holds', { subjectId, reason: 'litigation' }));
  const made = { templateId: template.id, jobId: job.id, webhookId: webhook.id };
  const incidentId = await releasedIncident(owner, [subjectId]);
  const created = { ...made, caseId, incidentId, holdId: hold.id };
  Object.assign(ids, { galleryId, subjectId, consentId, noticeId, ...created });
  const document: Json = await (await fetch(`${stack.url}/openapi.json`)).json();
  operations = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, spec]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? name),
      scope: spec.security?.find((entry: Json) => entry.oauth2 !== undefined)?.oauth2[0],
      spec,
    })),
  );
});

afterAll(() => stack.stop());

/** All but those that any officer may call, whatever the scope, and the public ones. */
const guarded = (): Operation[] => operations.filter(({ scope }) => scope !== undefined);

test('every call under /v1 names a scope, and only known others are public', () => {
  expect(guarded().every(({ path }) => path.startsWith('/v1/'))).toBe(true);
  const open = operations.filter(({ scope }) => scope === undefined).map(({ path }) => path);
  expect(open.toSorted()).toEqual(
    [
      '/.well-known/jwks.json',
      '/audit/checkpoint',
      '/audit/consistency',
      '/audit/key',
      '/.well-known/oauth-authorization-server',
      '/health',
      '/health/ready',
      '/oauth/introspect',
      '/oauth/revoke',
      '/oauth/token',
      '/policies/jurisdiction/retention',
      '/v1/officers/enrolment',
      '/v1/officers/enrolment/confirmation',
      '/v1/officers/sessions',
      '/v1/officers/sessions',
      '/v1/officers/sessions/renewal',
    ].toSorted(),
  );
});

test('without a token, or with rubbish for one, every call is refused with 401', async () => {
  for (const { method, path } of guarded()) {
    for (const token of ['', 'rubbish', 'a.b.c']) {
      const refused = await new TestClient(stack.url, token).send(method, path);
      expect([method, path, refused.status, refused.body.code]).toEqual([
        method,
        path,
        401,
        'unauthenticated',
      ]);
    }
  }
});

test('with every scope but its own, every call is refused with 403 and told which is missing', async () => {
  const all = [...new Set(guarded().map(({ scope }) => scope ?? ''))];
  for (const missing of all) {
    const others = all.filter((scope) => scope !== missing).join(' ');
    const client = await TestClient.connect(stack.url, createCredentials(stack, others));
    for (const { method, path } of guarded().filter(({ scope }) => scope === missing)) {
      const refused = await client.send(method, path);
      expect([method, path, refused.status, refused.body.code]).toEqual([
        method,
        path,
        403,
        'insufficient_scope',
      ]);
      expect(refused.headers.get('www-authenticate')).toContain(`scope="${missing}"`);
    }
  }
});

test("another client finds none of one's things: 404, as if they did not exist", async () => {
  const stranger = await TestClient.create(stack);
  const own = await createGallery(stranger);
  // Officers see the things of every client.
  const ofClients = guarded().filter(({ path }) => !path.startsWith('/v1/admin/'));
  const theirs = ofClients.filter(({ spec }) => spec.parameters?.some((p: Json) => p.in === 'path'));
  expect(theirs.length).toBeGreaterThan(8);
  for (const { method, path } of theirs) {
    const body =
      /verify|identify|templates$/.test(path) && method === 'POST'
        ? { embedding: embedding(1) }
        : path.endsWith('/nominee') && method === 'PUT'
          ? { name: 'Asha Rao', contact: 'asha@example.com', relationship: 'spouse' }
          : undefined;
    const refused = path.endsWith('/jobs')
      ? await startJob(stranger, ids['galleryId'] ?? '', 'enrol', '{}')
      : await stranger.send(method, path, body ?? bodyOf(method, path));
    expect([method, path, refused.status]).toEqual([method, path, 404]);
    // Their subject in one's own gallery is as unknown.
    const mixed = path.replace(ids['galleryId'] ?? '', own);
    if (mixed === path || !mixed.includes('subjects')) continue;
    expect([method, mixed, (await stranger.send(method, mixed, body)).status]).toEqual([method, mixed, 404]);
  }
  const foreign = { subjectId: ids['subjectId'], purpose: 'audit', noticeId: ids['noticeId'] };
  expect((await stranger.post('/v1/consents', foreign)).body.code).toBe('subject_not_found');
  for (const list of [
    'galleries',
    'subjects',
    'notices',
    'consents',
    'webhooks',
    'jobs',
    'rights-requests',
  ]) {
    const { items } = ok(await stranger.get(`/v1/${list}`));
    expect(
      items.map((item: Json) => item.id).filter((id: string) => Object.values(ids).includes(id)),
    ).toEqual([]);
  }
});

function bodyOf(method: string, path: string): object | undefined {
  if (!path.endsWith('/delivered')) return method === 'POST' ? {} : undefined;
  const told = { outcome: 'delivered', at: new Date(), channel: 'email' };
  return { deliveries: [{ subjectId: ids['subjectId'], ...told }] };
}

test('every operation is documented: summary, answers with examples, and every problem code of the catalogue', () => {
  for (const { method, path, spec, scope } of operations) {
    expect([method, path, typeof spec.summary]).toEqual([method, path, 'string']);
    if (scope === undefined) continue;
    expect(Object.keys(spec.responses)).toEqual(
      expect.arrayContaining(['400', '401', '403', '429', '500', '503']),
    );
    for (const code of spec['x-problem-codes']) {
      const documented = Object.values<Json>(spec.responses).some(
        (response) => response.content?.['application/problem+json']?.examples?.[code] !== undefined,
      );
      expect([path, code, documented]).toEqual([path, code, true]);
    }
  }
});
