import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createCredentials, type Credentials, requestToken, TestClient } from '../harness/test-client.js';

let stack: Stack;
let credentials: Credentials;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2, env: { RATE_LIMIT_IP_PER_MINUTE: '100000' } });
  credentials = createCredentials(stack, 'galleries:read consent:read');
});

afterAll(() => stack.stop());

async function freshToken(): Promise<string> {
  return (await requestToken(stack.url, credentials)).body.access_token;
}

function form(
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${stack.url}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers });
}

const secretsInBody = (): Record<string, string> => ({
  client_id: credentials.clientId,
  client_secret: credentials.clientSecret,
});

function revoke(token: string): Promise<Response> {
  return form('/oauth/revoke', { ...secretsInBody(), token });
}

describe('a client gets a token', () => {
  test('of type at+jwt that anybody can check with the published key', async () => {
    const { status, body, headers } = await requestToken(stack.url, credentials);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'galleries:read consent:read',
    });
    const [head = '', payload = '', signature = ''] = body.access_token.split('.');
    const { typ, alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString());
    expect([typ, alg]).toEqual(['at+jwt', 'RS256']);
    const { keys } = await (await fetch(`${stack.url}/.well-known/jwks.json`)).json();
    const jwk = keys.find((key: { kid: string }) => key.kid === kid);
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const signed = Buffer.from(`${head}.${payload}`);
    expect(verifySignature('sha256', signed, key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      sub: credentials.clientId,
      client_id: credentials.clientId,
      jti: expect.any(String),
      aud: 'velum',
    });
  });

  test('with its credentials in the body, and with fewer scopes if it asks for fewer', async () => {
    const response = await form('/oauth/token', {
      ...secretsInBody(),
      grant_type: 'client_credentials',
      scope: 'galleries:read',
    });
    expect((await response.json()).scope).toBe('galleries:read');
  });

  test.each([
    ['a wrong secret', 401, 'invalid_client', { client_secret: 'wrong', grant_type: 'client_credentials' }],
    ['an unknown client', 401, 'invalid_client', { client_id: 'nobody', grant_type: 'client_credentials' }],
    [
      'a scope that it was not given',
      400,
      'invalid_scope',
      { grant_type: 'client_credentials', scope: 'faces:erase' },
    ],
    ['another grant', 400, 'unsupported_grant_type', { grant_type: 'password' }],
    ['no grant', 400, 'invalid_request', {}],
  ])('not with %s', async (_what, status, code, fields) => {
    const response = await form('/oauth/token', { ...secretsInBody(), ...fields });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: code, error_description: expect.any(String) });
  });
});

describe('a token that was revoked', () => {
  test('is refused by every process from the answer on', async () => {
    const token = await freshToken();
    const urls = stack.apis.map((api) => api.url);
    for (const url of urls) expect((await new TestClient(url, token).get('/v1/galleries')).status).toBe(200);
    expect((await revoke(token)).status).toBe(200);
    for (const url of urls) {
      const refused = await new TestClient(url, token).get('/v1/galleries');
      expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
      expect(refused.headers.get('www-authenticate')).toContain('invalid_token');
    }
  });

  test('stays refused when Redis loses everything', async () => {
    const token = await freshToken();
    const other = await freshToken();
    await revoke(token);
    const redis = new Redis(stack.redisUrl);
    await redis.flushall();
    redis.disconnect();
    expect((await new TestClient(stack.url, token).get('/v1/galleries')).status).toBe(401);
    expect((await new TestClient(stack.url, other).get('/v1/galleries')).status).toBe(200);
  });

  test('is not active when asked about, and neither is the token of another client', async () => {
    const token = await freshToken();
    const ask = async (who: Record<string, string>): Promise<{ active: boolean; scope?: string }> =>
      (await form('/oauth/introspect', { ...who, token })).json();
    expect(await ask(secretsInBody())).toMatchObject({ active: true, scope: 'galleries:read consent:read' });
    const stranger = createCredentials(stack, 'galleries:read');
    const theirs = { client_id: stranger.clientId, client_secret: stranger.clientSecret };
    expect(await ask(theirs)).toEqual({ active: false });
    expect((await form('/oauth/revoke', { ...theirs, token })).status).toBe(200);
    expect(await ask(secretsInBody())).toMatchObject({ active: true });
    await revoke(token);
    expect(await ask(secretsInBody())).toEqual({ active: false });
  });
});

test('a client sees how much of its limit is left, and is stopped when it is used up', async () => {
  const limited = await Stack.start({ env: { RATE_LIMIT_CLIENT_PER_MINUTE: '3' } });
  try {
    const client = await TestClient.create(limited, 'galleries:read');
    const left: (string | null)[] = [];
    for (let i = 0; i < 3; i++) left.push((await client.get('/v1/galleries')).headers.get('ratelimit'));
    expect(left.map((text) => /r=(\d+)/.exec(text ?? '')?.[1])).toEqual(['2', '1', '0']);
    const refused = await client.get('/v1/galleries');
    expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fetch(`${limited.url}/health`)).status).toBe(200);
  } finally {
    await limited.stop();
  }
});

test('while Redis is away nothing is accepted, and all goes on when it is back', async () => {
  const own = await Stack.start();
  try {
    const client = await TestClient.create(own, 'galleries:read');
    expect((await client.get('/v1/galleries')).status).toBe(200);
    if (own.redis === undefined) return;
    process.kill(own.redis.pid, 'SIGSTOP');
    const refused = await client.get('/v1/galleries');
    expect([refused.status, refused.body.code]).toEqual([503, 'dependency_unavailable']);
    // The caller is told no more than that; the operator is told which part it was.
    expect(own.log).toMatch(
      /"message":"a part could not be reached".*"part":"redis"|"part":"redis".*"message":"a part could not be reached"/,
    );
    const ready = await new TestClient(own.url, '').get('/health/ready');
    expect([ready.status, ready.body.errors]).toEqual([503, [{ field: 'redis', message: 'down' }]]);
    expect((await fetch(`${own.url}/health`)).status).toBe(200);
    process.kill(own.redis.pid, 'SIGCONT');
    await expect.poll(async () => (await client.get('/v1/galleries')).status, { timeout: 15_000 }).toBe(200);
  } finally {
    await own.stop();
  }
});
