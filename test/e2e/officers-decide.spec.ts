import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actingOfficer, enrolOfficer, inviteOfficer } from '../harness/officers.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { createGallery, ok } from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let machine: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  machine = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function placeHold(by: TestClient): Promise<Answer> {
  const subjectId = ok(await machine.post('/v1/subjects', {})).id;
  return by.post('/v1/admin/holds', { subjectId, reason: 'litigation' });
}

async function reads(): Promise<Json[]> {
  const { rows } = await stack.owner.query(
    "SELECT type, client_id IS NOT NULL AS client, details FROM audit_event WHERE type IN ('admin.read', 'officer.read') ORDER BY id",
  );
  return rows;
}

test('what a client reads as an officer would is recorded by route, and following the log is not', async () => {
  ok(await machine.get('/v1/admin/cases?overdue=true'));
  ok(await machine.get('/v1/admin/retention/runs'));
  await machine.send('HEAD', '/v1/admin/incidents');
  ok(await machine.get('/v1/admin/audit-events'));
  ok(await machine.get('/v1/galleries'));
  const routes = ['/v1/admin/cases', '/v1/admin/retention/runs', '/v1/admin/incidents'];
  expect(await reads()).toEqual(
    routes.map((route) => ({ type: 'admin.read', client: true, details: { route } })),
  );
});

describe('a decision', () => {
  test("is a client's as long as there is no officer, and no client's once there is one", async () => {
    ok(await placeHold(machine));
    // Invited is not there yet.
    const { officerId } = await inviteOfficer(stack);
    ok(await placeHold(machine));
    expect(await velum(stack.env, ['officers', 'disable', officerId])).toMatchObject({ code: 0 });

    const { client: meera, officer } = await actingOfficer(stack, 'admin:compliance');
    const refused = await placeHold(machine);
    expect([refused.status, refused.body.code]).toEqual([403, 'officer_required']);
    ok(await placeHold(meera));
    // Reading is not deciding, and what a person asks for goes through the client app as ever.
    ok(await machine.get('/v1/admin/holds'));
    const subjectId = ok(await machine.post('/v1/subjects', {})).id;
    ok(await machine.post('/v1/rights-requests', { subjectId, kind: 'access', channel: 'app' }));
    expect((await machine.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);

    expect(await velum(stack.env, ['officers', 'disable', officer.id])).toMatchObject({ code: 0 });
    ok(await placeHold(machine));
  });

  test('of every kind is refused to clients, as the document says', async () => {
    await enrolOfficer(stack, 'admin:compliance');
    const document: Json = await (await fetch(`${stack.url}/openapi.json`)).json();
    const decisions = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods)
        .filter(
          ([method, { security }]) =>
            method !== 'get' && JSON.stringify(security ?? []).includes('admin:compliance'),
        )
        .map(([method, operation]) => ({ path, method, codes: operation['x-problem-codes'] })),
    );
    expect(decisions.length).toBeGreaterThan(20);
    for (const { path, method, codes } of decisions) {
      expect([method, path, codes]).toEqual([method, path, expect.arrayContaining(['officer_required'])]);
      const filled = path.replaceAll(/\{\w+\}/g, '0190abcd-0000-7000-8000-00000000abcd');
      const answer = await machine.send(method.toUpperCase(), filled, {});
      expect([method, path, answer.status, answer.body.code]).toEqual([
        method,
        path,
        403,
        'officer_required',
      ]);
    }
  });

  test("is no client's at all where officers are required, nor are keys destroyed unless two agree", async () => {
    const closed = await Stack.start({ env: { REQUIRE_OFFICERS: 'true' } });
    try {
      const client = await TestClient.create(closed);
      const subjectId = ok(await client.post('/v1/subjects', {})).id;
      const hold = await client.post('/v1/admin/holds', { subjectId, reason: 'litigation' });
      expect([hold.status, hold.body.code]).toEqual([403, 'officer_required']);
      const gallery = await createGallery(client);
      const destroyed = await client.delete(`/v1/galleries/${gallery}`);
      expect([destroyed.status, destroyed.body.code]).toEqual([409, 'approval_required']);
      ok(await client.get(`/v1/galleries/${gallery}`));
    } finally {
      await closed.stop();
    }
  });
});
