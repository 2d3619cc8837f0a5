import { ED25519, vkeyOf } from '#audit/verification';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everythingSequenced } from '../harness/audit.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, ok, similar } from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

const VERIFIER = 'libs/audit/verifier/verify-audit.mjs';

let stack: Stack;
let client: TestClient;
let officer: TestClient;
let stranger: TestClient;
let folder: string;
let key: string;
let galleryId: string;
let subjectId: string;
let consentId: string;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  folder = mkdtempSync(join(tmpdir(), 'velum-audit-'));
  const [own, other, audits] = ['all', 'all', 'admin:audit'].map((scopes) =>
    createCredentials(stack, scopes),
  );
  if (own === undefined || other === undefined || audits === undefined) throw new Error('no credentials');
  client = await TestClient.connect(stack.url, own);
  stranger = await TestClient.connect(stack.url, other);
  officer = await TestClient.connect(stack.url, audits);
  galleryId = await createGallery(client);
  ({ subjectId, consentId } = await consentingSubject(client));
  ok(await enrol(client, galleryId, subjectId, embedding(1)));
  const probe = { embedding: similar(embedding(1), 2) };
  ok(await client.post(`/v1/galleries/${galleryId}/subjects/${subjectId}/verify`, probe));
  ok(await client.post(`/v1/galleries/${galleryId}/identify`, probe));
  await everythingSequenced(stack);
  key = (await publicText('key')).trim();
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

async function publicText(what: string): Promise<string> {
  const answer = await fetch(`${stack.url}/audit/${what}`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
  return answer.text();
}

/** What an auditor does: plain Node, the one file. */
function verified(content: unknown, ...options: string[]): { code: number | null; output: string } {
  return verifiedWith(key, content, ...options);
}

function verifiedWith(
  vkey: string,
  content: unknown,
  ...options: string[]
): { code: number | null; output: string } {
  const file = join(folder, 'given');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [VERIFIER, file, '--key', vkey, ...options],
    {
      encoding: 'utf8',
    },
  );
  return { code: status, output: `${stdout}${stderr}`.replaceAll(file, 'FILE') };
}

async function exported(): Promise<string> {
  const answer = await officer.get('/v1/admin/audit/export');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  return answer.body;
}

describe('an auditor', () => {
  test('verifies an export of the whole log with one file and plain Node', async () => {
    const text = await exported();
    const leaves = text.split('\n').filter((line) => line.startsWith('{"leaf"'));
    const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM audit_event');
    expect(leaves).toHaveLength(rows[0].n);
    const { code, output } = verified(text);
    expect([code, output]).toEqual([0, expect.stringContaining('all as it was written')]);
  });

  test('verifies the proof of an event, of a leaf, and that the log only grew', async () => {
    const { items } = ok(await officer.get('/v1/admin/audit-events?limit=5'));
    for (const { id } of items) {
      const proof = ok(await officer.get(`/v1/admin/audit/events/${id}/inclusion`));
      expect(proof.event.id).toBe(id);
      expect(verified(proof)).toMatchObject({ code: 0 });
      const altered = { ...proof, event: { ...proof.event, outcome: 'refused' } };
      expect(verified(altered)).toMatchObject({
        code: 1,
        output: expect.stringContaining(`leaf ${proof.leafIndex}`),
      });
    }
    expect(verified(ok(await officer.get('/v1/admin/audit/inclusion?leafIndex=0')))).toMatchObject({
      code: 0,
    });
    const checkpoints = ok(await officer.get('/v1/admin/audit/checkpoints')).items;
    const [newest, oldest] = [checkpoints[0], checkpoints.at(-1)];
    const path = `consistency?from=${oldest.treeSize}&to=${newest.treeSize}`;
    const grown = ok(await officer.get(`/v1/admin/audit/${path}`));
    expect(verified(grown)).toMatchObject({ code: 0 });
    expect(await (await fetch(`${stack.url}/audit/${path}`)).json()).toEqual(grown);
    expect(verified({ ...grown, hashes: grown.hashes.toReversed().slice(1) })).toMatchObject({ code: 1 });
  });

  test('who trusts another key is told that the log is not signed by it', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const [origin = ''] = key.split('+');
    const { code, output } = verifiedWith(vkeyOf(origin, ED25519, raw), await exported());
    expect([code, output]).toEqual([1, expect.stringContaining('it is not signed by the key of the log')]);
    expect(output).toContain(`names a key that you do not hold: ${key}`);
  });

  test('is refused sizes and leaves that the log does not have', async () => {
    const { treeSize } = ok(await officer.get('/v1/admin/audit/checkpoints')).items[0];
    for (const path of [
      `inclusion?leafIndex=${treeSize}`,
      `inclusion?leafIndex=0&treeSize=${treeSize + 1000}`,
      `consistency?from=2&to=1`,
      `consistency?from=1&to=${treeSize + 1000}`,
      `export?from=5&to=4`,
    ]) {
      const refused = await officer.get(`/v1/admin/audit/${path}`);
      expect([path, refused.status, refused.body.code]).toEqual([path, 422, 'tree_size_out_of_range']);
    }
    const unknown = await officer.get(`/v1/admin/audit/events/${subjectId}/inclusion`);
    expect([unknown.status, unknown.body.code]).toEqual([404, 'audit_entry_not_found']);
  });

  test('sees each entry in a checkpoint within about a second', async () => {
    const before = Date.now();
    const { id } = ok(await client.post('/v1/subjects', {}));
    const found = async (): Promise<number> =>
      ok(await client.get(`/v1/subjects/${id}/audit-bundle`)).entries.length;
    await expect.poll(found, { timeout: 5_000, interval: 20 }).toBe(1);
    expect(Date.now() - before).toBeLessThan(2_000);
  });
});

describe('a person', () => {
  test('gets every entry that names them, each with its proof', async () => {
    const bundle = ok(await client.get(`/v1/subjects/${subjectId}/audit-bundle`));
    expect(bundle.entries.map(({ event }: Json) => `${event.type} ${event.outcome}`)).toEqual([
      'subject.registered ok',
      'consent.granted ok',
      'template.enrolled ok',
      'subject.verified match',
      'gallery.identified match',
    ]);
    expect(verified(bundle)).toMatchObject({
      code: 0,
      output: expect.stringContaining('5 entries of one subject'),
    });
    expect(ok(await officer.get(`/v1/admin/audit/subjects/${subjectId}/bundle`)).entries).toEqual(
      bundle.entries,
    );
    const page = ok(await client.get(`/v1/subjects/${subjectId}/audit-bundle?limit=2`));
    expect(page.entries).toHaveLength(2);
    const rest = ok(await client.get(`/v1/subjects/${subjectId}/audit-bundle?fromLeaf=${page.nextLeaf}`));
    expect([rest.entries.length, rest.nextLeaf]).toEqual([3, null]);
    const forged = { ...bundle, subjectId: consentId };
    expect(verified(forged).output).toContain('it is about somebody else');
  });

  test('is nobody to another client', async () => {
    const refused = await stranger.get(`/v1/subjects/${subjectId}/audit-bundle`);
    expect([refused.status, refused.body.code]).toEqual([404, 'subject_not_found']);
  });

  test('who is erased leaves commitments that nobody can open, and the log still verifies', async () => {
    const held = await publicText('checkpoint');
    writeFileSync(join(folder, 'checkpoint'), held);
    expect((await client.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
    await everythingSequenced(stack);
    expect((await client.get(`/v1/subjects/${subjectId}/audit-bundle`)).status).toBe(404);
    const { items } = ok(await officer.get(`/v1/admin/audit-events?subjectId=${subjectId}`));
    expect(items.map(({ type }: Json) => type)).toEqual(['subject.erased']);
    const text = await exported();
    const bare = /^\{"leaf":\d+,"commitment":"[^"]+"\}$/;
    const forgotten = text.split('\n').filter((line) => bare.test(line));
    // The five above, and those of the erasure itself: the consent that ended and the template that went.
    expect(forgotten).toHaveLength(7);
    const [record] = ok(await officer.get('/v1/admin/audit-events?type=entries.forgotten')).items;
    expect(record.details.entries).toBe(7);
    // Nothing that `subject.erased` or the line of the request has too.
    expect([record.subjectId, record.clientId, record.requestId, record.ipHash]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    const [erased] = items;
    const line = stack.log
      .split('\n')
      .find((each) => each.includes(erased.requestId) && each.includes('"receipts"'));
    const receipts = /"receipts":"([^"]*)"/.exec(line ?? '')?.[1]?.split(' ');
    const { rows } = await stack.owner.query(
      `SELECT encode(substring(commitment FROM 2 FOR 16), 'hex') AS receipt FROM audit_event WHERE id = $1`,
      [erased.id],
    );
    expect(receipts).toEqual(rows.map(({ receipt }) => receipt));
    const { code, output } = verified(text, '--checkpoint', join(folder, 'checkpoint'));
    expect([code, output]).toEqual([0, expect.stringContaining('7 of them forgotten by 1 erasures')]);
    const leaf = JSON.parse(forgotten[0] ?? '').leaf;
    const proof = ok(await officer.get(`/v1/admin/audit/inclusion?leafIndex=${leaf}`));
    expect([proof.event, proof.salt]).toEqual([null, null]);
    expect(verified(proof)).toMatchObject({ code: 0 });
  });

  test('can be forgotten by the apps only once erased', async () => {
    const { Client } = await import('pg');
    const living = (await consentingSubject(client)).subjectId;
    const app = new Client({ connectionString: stack.urls.app });
    await app.connect();
    try {
      const forget = `SELECT forget_audit_entries('${living}', gen_random_uuid())`;
      await expect(app.query(forget)).rejects.toThrow(/not erased/);
      // Of somebody who is: not without the record.
      const other = (await consentingSubject(client)).subjectId;
      await app.query(
        `UPDATE subject SET reference = NULL, reference_index = NULL, erased_at = now() WHERE id = '${other}'`,
      );
      const silently = `SELECT forget_audit_entries('${other}', gen_random_uuid())`;
      await expect(app.query(silently)).rejects.toThrow(/violates foreign key/);
      for (const statement of [
        'UPDATE audit_leaf SET leaf_index = 9',
        'DELETE FROM audit_leaf',
        'DELETE FROM audit_checkpoint',
      ]) {
        await expect(app.query(statement)).rejects.toThrow(/permission denied/);
      }
    } finally {
      await app.end();
    }
  });
});
