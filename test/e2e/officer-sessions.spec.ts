import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  actingOfficer,
  enrolOfficer,
  logIn,
  logInAnew,
  nextCode,
  type Officer,
  PASSWORD,
  totpCode,
} from '../harness/officers.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { createGallery, ok } from '../harness/story.js';
import { type Answer, createCredentials, requestToken, TestClient } from '../harness/test-client.js';

let stack: Stack;
let nobody: TestClient;
let officer: Officer;

beforeAll(async () => {
  stack = await Stack.start();
  nobody = new TestClient(stack.url, '');
  officer = await enrolOfficer(stack);
});

afterAll(() => stack.stop());

const renew = (sessionToken: string): Promise<Answer> =>
  nobody.post('/v1/officers/sessions/renewal', { sessionToken });
const statusOf = async (client: TestClient): Promise<number> =>
  (await client.get('/v1/admin/audit-events')).status;

async function events(type: string): Promise<{ outcome: string; code: string | null; details: object }[]> {
  const { rows } = await stack.owner.query(
    'SELECT outcome, code, details FROM audit_event WHERE type = $1 ORDER BY id',
    [type],
  );
  return rows;
}

describe('a session', () => {
  test('a session token gets the next access token, once; whoever sends it again ends the session for both', async () => {
    const { client, sessionToken } = await logInAnew(stack, officer);
    const next = ok(await renew(sessionToken));
    expect(await statusOf(new TestClient(stack.url, next.accessToken))).toBe(200);
    expect((await renew(sessionToken)).body.code).toBe('session_ended');
    expect((await renew(next.sessionToken)).body.code).toBe('session_ended');
    expect(await statusOf(new TestClient(stack.url, next.accessToken))).toBe(401);
    expect(await statusOf(client)).toBe(401);
    expect((await events('officer.session_ended')).at(-1)?.details).toMatchObject({
      officerId: officer.id,
      reason: 'token_reused',
    });
  });

  test('of two renewals at once with the same token one is answered at the most, and the session ends', async () => {
    const { sessionToken } = await logInAnew(stack, officer);
    const answers = await Promise.all([renew(sessionToken), renew(sessionToken)]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 403]));
    const { sessionToken: next } = answers.find(({ status }) => status === 200)?.body ?? {};
    expect((await renew(next)).status).toBe(403);
  });

  test('it ends after 30 minutes without a renewal, and after twelve hours in any case', async () => {
    for (const [column, interval] of [
      ['renewed_at', '30 minutes'],
      ['expires_at', '12 hours'],
    ]) {
      const { sessionToken } = await logInAnew(stack, officer);
      await stack.owner.query(`UPDATE officer_session SET ${column} = ${column} - $1::interval`, [interval]);
      expect((await renew(sessionToken)).body.code).toBe('session_ended');
    }
    expect(await statusOf((await logInAnew(stack, officer)).client)).toBe(200);
  });

  test('logging out ends it at once, on every replica', async () => {
    const { client, sessionToken } = await logInAnew(stack, officer);
    const elsewhere = client.at((await stack.startApi()).url);
    expect(await statusOf(elsewhere)).toBe(200);
    expect((await client.delete('/v1/officers/sessions')).status).toBe(204);
    expect(await statusOf(elsewhere)).toBe(401);
    expect((await renew(sessionToken)).status).toBe(403);
    expect((await client.delete('/v1/officers/sessions')).status).toBe(401);
  });

  test('an officer who is disabled or reset is out at once; after a reset only the new code lets in again', async () => {
    const one = await actingOfficer(stack);
    await velum(stack.env, ['officers', 'disable', one.officer.id]);
    expect(await statusOf(one.client)).toBe(401);
    expect((await renew(one.sessionToken)).status).toBe(403);
    const other = await actingOfficer(stack);
    // As a rotation of secret_key leaves it: nobody finds the account by its address.
    await stack.owner.query("UPDATE officer SET email_index = sha256('old') WHERE id = $1", [
      other.officer.id,
    ]);
    const reset = await velum(stack.env, ['officers', 'reset', other.officer.id, '--json']);
    expect(await statusOf(other.client)).toBe(401);
    await nextCode(stack, other.officer);
    expect((await logIn(stack.url, other.officer)).status).toBe(403);
    const recovery = { totp: undefined, recoveryCode: other.officer.recoveryCodes[0] };
    expect((await logIn(stack.url, other.officer, recovery)).status).toBe(403);
    const { enrolmentCode: code } = JSON.parse(reset.stdout);
    const { totpSecret } = ok(await nobody.post('/v1/officers/enrolment', { code, password: PASSWORD }));
    ok(await nobody.post('/v1/officers/enrolment/confirmation', { code, totp: totpCode(totpSecret) }));
    await stack.owner.query('DELETE FROM officer_login_attempt');
    const again = await logInAnew(stack, { ...other.officer, totpSecret });
    expect(await statusOf(again.client)).toBe(200);
    expect((await velum(stack.env, ['officers', 'reset', one.officer.id])).stderr).toContain('officers list');
  });
});

describe('the token of an officer', () => {
  test('is none of a client: it neither creates things nor is told of at the OAuth endpoints', async () => {
    const { client } = await logInAnew(stack, officer);
    for (const path of ['/v1/galleries', '/v1/subjects', '/v1/consents', '/v1/webhooks']) {
      expect((await client.get(path)).status).toBe(403);
    }
    const credentials = createCredentials(stack);
    const { clientId, clientSecret } = credentials;
    const ask = async (path: string): Promise<Answer['body']> => {
      const body = new URLSearchParams({
        client_id: clientId,
        client_secret: clientSecret,
        token: client.token,
      });
      return (await fetch(`${stack.url}${path}`, { method: 'POST', body })).text();
    };
    expect(JSON.parse(await ask('/oauth/introspect'))).toEqual({ active: false });
    await ask('/oauth/revoke');
    expect(await statusOf(client)).toBe(200);
    // Nor does a client's pass for an officer's, whatever it allows.
    const machine = await TestClient.connect(stack.url, credentials);
    expect(await statusOf(machine)).toBe(200);
    expect((await machine.delete('/v1/officers/sessions')).body.code).toBe('officer_required');
    const { body } = await requestToken(stack.url, { clientId: officer.id, clientSecret: PASSWORD });
    expect(body.error).toBe('invalid_client');
    expect((await machine.post('/v1/galleries', {})).status).toBe(400);
    expect(await createGallery(machine)).toBeDefined();
  });

  test('allows what the officer may do now, whatever it was when it was issued', async () => {
    const { client } = await logInAnew(stack, officer);
    const set = (scopes: string[]): Promise<unknown> =>
      stack.owner.query('UPDATE officer SET scopes = $2 WHERE id = $1', [officer.id, scopes]);
    await set(['admin:compliance']);
    expect(await statusOf(client)).toBe(403);
    await set(['admin:audit', 'admin:compliance', 'admin:keys']);
    expect(await statusOf(client)).toBe(200);
  });

  test('leaves a record of what is read, before it is answered, with the route and no value', async () => {
    const { client } = await logInAnew(stack, officer);
    const before = (await events('officer.read')).length;
    ok(await client.get(`/v1/admin/audit-events?subjectId=${officer.id}&limit=3`));
    const [read] = (await events('officer.read')).slice(before);
    const details = { route: '/v1/admin/audit-events', officerId: officer.id };
    expect(read).toEqual({ outcome: 'ok', code: null, details });
    expect(ok(await client.get('/v1/admin/audit-events?type=officer.read&limit=1')).items[0].details).toEqual(
      details,
    );
  });
});
