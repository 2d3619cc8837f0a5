import { AuditLog } from '#audit/audit-log';
import { loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { SealedValues } from '#platform/sealed-values';
import { Statements } from '#statements/statements';
import { verifyStatement } from '../../libs/statements/verifier/verify-statement.mjs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

const TYP = 'test+jwt';

type Sign = (payload: object, typ?: `${string}+jwt`) => Promise<string>;

let stack: Stack;
let client: TestClient;
let folder: string;
const processes: DataSource[] = [];

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
  folder = mkdtempSync(join(tmpdir(), 'velum-statements-'));
});

afterAll(async () => {
  await Promise.all(processes.map((db) => db.destroy()));
  await stack.stop();
  rmSync(folder, { recursive: true });
});

/** What one process of Velum signs with, on connections of its own. */
async function signer(role: 'app' | 'worker'): Promise<Sign> {
  const db = await new DataSource(dataSourceOptions(stack.urls[role], 'test')).initialize();
  processes.push(db);
  const config = loadConfig({ ...process.env, ...stack.env });
  const keyring = config.secrets.dbEncryptionKeys;
  const statements = new Statements(db, new AuditLog(db), new SealedValues(keyring), keyring, config);
  return (payload, typ = TYP) => db.transaction((tx) => statements.sign(tx, typ, payload));
}

async function jwks(): Promise<Json> {
  return (await fetch(`${stack.url}/.well-known/jwks.json`)).json();
}

const kidOf = (jws: string): string =>
  JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()).kid;

test('processes that sign for the first time at once agree on one key, which everybody can look up', async () => {
  const signers = await Promise.all([signer('app'), signer('worker'), signer('app')]);
  const signed = await Promise.all(signers.flatMap((sign) => [sign({ n: 1 }), sign({ n: 2 })]));
  expect(new Set(signed.map(kidOf)).size).toBe(1);
  const { keys } = await jwks();
  expect(keys.filter(({ kty }: Json) => kty === 'OKP')).toEqual([
    {
      kty: 'OKP',
      crv: 'Ed25519',
      x: expect.any(String),
      kid: kidOf(signed[0] ?? ''),
      use: 'sig',
      alg: 'EdDSA',
    },
  ]);
  for (const jws of signed) {
    expect(verifyStatement(jws, { keys }).header).toMatchObject({ alg: 'EdDSA', typ: TYP });
  }
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS n FROM audit_event WHERE type = 'statement_key.created'`,
  );
  expect(rows).toEqual([{ n: 1 }]);
});

test('after a rotation another key signs, and what the old one signed still verifies with the script', async () => {
  const sign = await signer('app');
  const before = await sign({ said: 'before' });
  const { code, stdout } = await velum({ ...stack.env }, ['keys', 'rotate-statements']);
  expect(code).toBe(0);
  const after = await sign({ said: 'after' });
  expect(kidOf(after)).not.toBe(kidOf(before));
  expect(stdout).toContain(kidOf(after));
  const keys = join(folder, 'jwks.json');
  writeFileSync(keys, JSON.stringify(await jwks()));
  for (const [said, jws] of Object.entries({ before, after })) {
    const printed = check(jws, keys, '--typ', TYP);
    expect([printed.status, printed.stdout]).toEqual([0, expect.stringContaining(`"said": "${said}"`)]);
    expect(check(jws, keys, '--typ', 'other+jwt').status).toBe(1);
    const changed = check(`${jws.slice(0, -1)}${jws.endsWith('A') ? 'B' : 'A'}`, keys);
    expect([changed.status, changed.stdout]).toEqual([1, '']);
  }
  const { rows } = await stack.owner.query(
    'SELECT private_key IS NULL AS gone FROM statement_key ORDER BY retired_at NULLS LAST',
  );
  expect(rows).toEqual([{ gone: true }, { gone: false }]);
});

test('a statement is no access token, even if it says all that one says', async () => {
  ok(await client.get('/v1/subjects'));
  const claims = JSON.parse(Buffer.from(client.token.split('.')[1] ?? '', 'base64url').toString());
  const sign = await signer('app');
  const refused = await new TestClient(stack.url, await sign(claims, 'at+jwt')).get('/v1/subjects');
  expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
});

function check(jws: string, keys: string, ...options: string[]): { status: number | null; stdout: string } {
  const file = join(folder, 'statement.jws');
  writeFileSync(file, jws);
  const script = 'libs/statements/verifier/verify-statement.mjs';
  return spawnSync(process.execPath, [script, file, '--keys', keys, ...options], { encoding: 'utf8' });
}
