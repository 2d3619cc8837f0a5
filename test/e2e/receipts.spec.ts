import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, ok, PURPOSE } from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

const SCRIPT = 'libs/statements/verifier/verify-statement.mjs';

let stack: Stack;
let client: TestClient;
let stranger: TestClient;
let folder: string;
let keys: string;

beforeAll(async () => {
  stack = await Stack.start();
  const [own, other] = [createCredentials(stack), createCredentials(stack)];
  client = await TestClient.connect(stack.url, own);
  stranger = await TestClient.connect(stack.url, other);
  folder = mkdtempSync(join(tmpdir(), 'velum-receipts-'));
  keys = join(folder, 'jwks.json');
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

async function receiptOf(consentId: string): Promise<string> {
  return ok(await client.get(`/v1/consents/${consentId}/receipt`)).receipt;
}

/** As somebody does who has the receipt, the key set and Node. */
function check(jws: string): { readonly status: number | null; readonly stdout: string } {
  const file = join(folder, 'receipt.jws');
  writeFileSync(file, `${jws}\n`);
  const args = [SCRIPT, file, '--keys', keys, '--typ', 'consent-receipt+jwt'];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

/** What the script prints of a receipt that is genuine. */
async function read(jws: string): Promise<Json> {
  writeFileSync(keys, await (await fetch(`${stack.url}/.well-known/jwks.json`)).text());
  const { status, stdout } = check(jws);
  expect(status).toBe(0);
  return JSON.parse(stdout.slice(0, stdout.lastIndexOf('}') + 1));
}

function noticed({ id, version, hash }: Json): object {
  return { notice_id: id, language: 'hi', version, hash, hash_format: 2 };
}

test('a person gets a receipt of what was agreed to, and of what became of it after the withdrawal', async () => {
  const [first, second] = [
    ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE, language: 'hi', title: 'एक' })),
    ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE, language: 'hi', title: 'दो' })),
  ];
  const subjectId = ok(
    await client.post('/v1/subjects', { reference: 'Asha Rao', jurisdiction: 'IN-DPDP' }),
  ).id;
  const evidence = {
    method: 'signature',
    at: '2026-01-02T03:04:05.000Z',
    evidenceHash: 'cd'.repeat(32),
    guardian: { relationship: 'representative', verifiedBy: 'known_details' },
  };
  const consent = ok(
    await client.post('/v1/consents', { subjectId, purpose: PURPOSE, noticeId: first.id, evidence }),
  );
  ok(await client.post(`/v1/consents/${consent.id}/renew`, { noticeId: second.id, evidence: EVIDENCE }));
  const jws = await receiptOf(consent.id);
  const receipt = await read(jws);
  expect(receipt).toMatchObject({
    schema_version: 'ISO/IEC TS 27560:2023',
    record_id: consent.id,
    pii_principal_id: subjectId,
    state: 'active',
    valid_until: null,
    iss: expect.stringMatching(/^http/),
    party_identification: [{ party_name: 'test', party_role: 'pii_controller' }],
  });
  const [processing] = receipt.pii_processing;
  expect(processing).toMatchObject({ privacy_notice: noticed(second), language: 'hi' });
  expect(processing.purposes).toMatchObject([
    {
      purpose: PURPOSE,
      lawful_basis: 'consent',
      retention_period: { after_end: 'P1Y', source: expect.stringContaining('rule 8(3)') },
      jurisdiction: { code: 'IN-DPDP', revision: 1 },
      withdrawal_method: expect.stringContaining(`/v1/consents/${consent.id}/withdraw`),
      privacy_rights: expect.arrayContaining(['access', 'erasure', 'grievance']),
    },
  ]);
  expect(receipt.events).toMatchObject([
    {
      event_type: 'granted',
      event_state: 'active',
      event_time: evidence.at,
      privacy_notice: noticed(first),
      method: 'signature',
      evidence_hash: evidence.evidenceHash,
      guardian: { relationship: 'representative', verified_by: 'known_details' },
    },
    {
      event_type: 'renewed',
      event_state: 'active',
      privacy_notice: noticed(second),
      method: 'checkbox',
    },
  ]);
  expect(JSON.stringify(receipt)).not.toContain('Asha');

  ok(await client.post(`/v1/consents/${consent.id}/withdraw`));
  const after = await read(await receiptOf(consent.id));
  expect(after.state).toBe('withdrawn');
  expect(after.events.map(({ event_type }: Json) => event_type)).toEqual(['granted', 'renewed', 'withdrawn']);
  // What was signed before stays what it was.
  expect((await read(jws)).state).toBe('active');
});

test('a receipt that somebody changed is refused, whatever it says', async () => {
  const { consentId } = await consentingSubject(client);
  const jws = await receiptOf(consentId);
  await read(jws);
  const [head = '', body = '', signature = ''] = jws.split('.');
  const said = JSON.parse(Buffer.from(body, 'base64url').toString());
  const other = Buffer.from(JSON.stringify({ ...said, state: 'withdrawn' })).toString('base64url');
  const flipped = `${body.slice(0, 40)}${body[40] === 'A' ? 'B' : 'A'}${body.slice(41)}`;
  for (const changed of [
    `${head}.${other}.${signature}`,
    `${head}.${flipped}.${signature}`,
    jws.slice(0, -1),
    `${jws}A`,
  ]) {
    expect(check(changed)).toMatchObject({ status: 1, stdout: '' });
  }
  expect(check(client.token)).toMatchObject({ status: 1, stdout: '' });
});

test('refused and expired consents have receipts that say so, and another client gets none', async () => {
  const { subjectId, consentId } = await consentingSubject(client);
  const { noticeId } = ok(await client.get(`/v1/consents/${consentId}`));
  const refusal = { subjectId, purpose: PURPOSE, noticeId };
  const refused = ok(await client.post('/v1/consent-refusals', refusal)).id;
  await stack.owner.query('UPDATE consent SET expires_at = now() WHERE id = $1', [consentId]);
  expect((await read(await receiptOf(refused))).state).toBe('refused');
  expect((await read(await receiptOf(consentId))).state).toBe('expired');
  expect((await stranger.get(`/v1/consents/${refused}/receipt`)).body.code).toBe('consent_not_found');
});

test('what was recorded by the version before has a receipt, too', async () => {
  const { consentId } = await consentingSubject(client);
  await stack.owner.query('UPDATE consent_fact SET notice_id = NULL WHERE consent_id = $1', [consentId]);
  const { noticeId } = ok(await client.get(`/v1/consents/${consentId}`));
  const { events } = await read(await receiptOf(consentId));
  expect(events).toMatchObject([{ event_type: 'granted', privacy_notice: { notice_id: noticeId } }]);
});
