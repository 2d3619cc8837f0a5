import { ED25519, vkeyOf } from '#audit/verification';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everythingSequenced } from '../harness/audit.js';
import { endedJob, linesOf, startJob } from '../harness/jobs.js';
import { velum as operate } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { consentingSubject, createGallery, embedding, enrol, ok } from '../harness/story.js';
import { createCredentials, requestToken, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let folder: string;
let logKey: string;
let galleryId: string;
let subjectId: string;
let verification: string;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
  folder = mkdtempSync(join(tmpdir(), 'velum-audit-command-'));
  client = await TestClient.create(stack);
  galleryId = await createGallery(client);
  ({ subjectId } = await consentingSubject(client));
  ok(await enrol(client, galleryId, subjectId, embedding(1)));
  const stranger = ok(await client.post('/v1/subjects', {})).id;
  const verify = (subject: string): ReturnType<TestClient['post']> =>
    client.post(`/v1/galleries/${galleryId}/subjects/${subject}/verify`, { embedding: embedding(1) });
  verification = ok(await verify(subjectId).then((answer) => ({ ...answer, body: answer.headers }))).get(
    'x-request-id',
  );
  // Refusals: before anything is decided, of what was decided, and of credentials.
  expect((await verify(stranger)).body.code).toBe('consent_required');
  expect((await client.post(`/v1/galleries/${galleryId}/identify`, { embedding: 'none' })).status).toBe(400);
  const { clientId } = createCredentials(stack);
  expect((await requestToken(stack.url, { clientId, clientSecret: 'wrong' })).status).toBe(401);
  // The same once more decides nothing.
  for (let i = 0; i < 2; i++) await client.post('/v1/subjects', {}, { 'idempotency-key': 'once-and-again' });
  const { subjectId: erased } = await consentingSubject(client);
  expect((await client.delete(`/v1/subjects/${erased}`)).status).toBe(204);
  await everythingSequenced(stack);
  logKey = (await (await fetch(`${stack.url}/audit/key`)).text()).trim();
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true });
});

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

async function velum(args: readonly string[], input = ''): Promise<Ran> {
  const { code, stdout, stderr } = await operate(stack.env, args, input);
  return { code, output: `${stdout}${stderr}` };
}

const reconciled = (log = stack.log): Promise<Ran> => velum(['audit', 'reconcile', '--log', '-'], log);

describe('velum audit reconcile', () => {
  test('finds a leaf for every decision, of rows and of the log of the API', async () => {
    const probes = [{ embedding: embedding(1) }, { embedding: embedding(77) }, { nothing: true }];
    await endedJob(client, ok(await startJob(client, galleryId, 'identify', linesOf(probes))).id);
    await everythingSequenced(stack);
    const { code, output } = await reconciled();
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/\d+ answers in the logs, \d+ of them decisions; every decision has its leaf/),
    ]);
    expect(Number(/, (\d+) of them decisions/.exec(output)?.[1])).toBeGreaterThan(10);
  });

  test('names the request whose entry is not in the log, however the lines are wrapped', async () => {
    const { rows } = await stack.owner.query(
      `DELETE FROM audit_leaf WHERE event_id IN (SELECT id FROM audit_event WHERE request_id = $1) RETURNING *`,
      [verification],
    );
    try {
      expect(rows).toHaveLength(1);
      const wrapped = stack.log
        .split('\n')
        .map((log) => JSON.stringify({ log: `${log}\n`, stream: 'stdout' }));
      for (const log of [stack.log, wrapped.join('\n'), stack.log.replaceAll(/^/gm, 'api-blue-1  | ')]) {
        const { code, output } = await reconciled(log);
        expect(code).toBe(1);
        expect(output).toMatch(
          new RegExp(`MISSING request ${verification} .*verify, 200\\): its entry [0-9a-f]{32}… has no leaf`),
        );
        expect(output).toContain(
          `MISSING an entry was written, and has no leaf and waits for none: ${rows[0].event_id}`,
        );
      }
    } finally {
      const { leaf_index, event_id, commitment } = rows[0];
      await stack.owner.query('INSERT INTO audit_leaf VALUES ($1, $2, $3)', [
        leaf_index,
        event_id,
        commitment,
      ]);
    }
  });

  test('names the decision that wrote no entry', async () => {
    const without = stack.log
      .split('\n')
      .map((line) => (line.includes(verification) ? line.replace(/,"receipts":"[^"]*"/, '') : line));
    const { code, output } = await reconciled(without.join('\n'));
    expect([code, output]).toEqual([1, expect.stringContaining(`MISSING request ${verification} `)]);
    expect(output).toContain('verify, 200): no entry was written');
  });

  test('names the row that no entry accounts for', async () => {
    await stack.owner.query(
      `CREATE TABLE kept AS SELECT * FROM audit_event WHERE subject_id = '${subjectId}'`,
    );
    await stack.owner.query(`DELETE FROM audit_event WHERE subject_id = '${subjectId}'`);
    const { code, output } = await velum(['audit', 'reconcile']);
    expect(code).toBe(1);
    expect(output).toContain(`MISSING a subject was registered: ${subjectId}`);
    expect(output).toContain('MISSING a template was enrolled: ');
    expect(output).toContain('MISSING a consent was given, renewed, refused, withdrawn or ran out: ');
    expect(output).toContain('MISSING items of a bulk identification named a subject: ');
    await stack.owner.query(
      'SET session_replication_role = replica; INSERT INTO audit_event TABLE kept; SET session_replication_role = origin',
    );
  });

  test('nothing in the log of the API tells whose entry it was', () => {
    const lines = stack.log.split('\n').filter((line) => line.includes('"receipts"'));
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.filter((line) => line.includes(subjectId))).toEqual([]);
  });
});

function cosigned(): Promise<Ran> {
  const files = ['--key', join(folder, 'witness.key'), '--state', join(folder, 'state')];
  return velum(['audit', 'cosign', '--log-key', logKey, '--url', stack.url, ...files]);
}

describe('velum audit cosign', () => {
  let witness: string;
  test('makes a key once', async () => {
    const args = ['audit', 'keygen', join(folder, 'witness.key'), '--name', 'witness.example/1'];
    const made = await velum(args);
    witness = made.output.trim();
    expect([made.code, witness]).toEqual([0, expect.stringMatching(/^witness\.example\/1\+[0-9a-f]{8}\+B/)]);
    expect(await velum(args)).toMatchObject({ code: 1, output: expect.stringContaining('is there already') });
  });

  test('cosigns a log that grew, and an auditor can ask for it', async () => {
    expect(await cosigned()).toMatchObject({ code: 0 });
    ok(await client.post('/v1/subjects', {}));
    await everythingSequenced(stack);
    const { code, output } = await cosigned();
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(
        /^velum\.localhost\/audit\n\d+\n\S+\n\n— velum\.localhost\/audit \S+\n— witness\.example\/1 \S+\n$/,
      ),
    ]);
    writeFileSync(join(folder, 'cosigned'), output);
    const exported = join(folder, 'export');
    writeFileSync(exported, (await client.get('/v1/admin/audit/export')).body);
    const verify = [
      'audit',
      'verify',
      exported,
      '--key',
      logKey,
      '--witness',
      witness,
      '--checkpoint',
      join(folder, 'cosigned'),
    ];
    expect(await velum(verify)).toMatchObject({
      code: 0,
      output: expect.stringContaining('all as it was written'),
    });
    expect(await velum(verify.slice(0, -2))).toMatchObject({
      code: 2,
      output: expect.stringContaining('--witness is about checkpoints that you hold'),
    });
    writeFileSync(join(folder, 'alone'), await (await fetch(`${stack.url}/audit/checkpoint`)).text());
    expect(await velum([...verify.slice(0, -1), join(folder, 'alone')])).toMatchObject({
      code: 1,
      output: expect.stringContaining('it is not cosigned by witness.example/1'),
    });
  });

  test('does not cosign beside another, and takes the keys that a log had', async () => {
    const lock = join(folder, 'state.new');
    writeFileSync(lock, '');
    expect(await cosigned()).toMatchObject({ code: 1, output: expect.stringContaining('is at work') });
    rmSync(lock);
    const files = ['--key', join(folder, 'witness.key'), '--state', join(folder, 'state')];
    const former = vkeyOf('former.example/audit', ED25519, Buffer.alloc(32, 1));
    const args = ['audit', 'cosign', '--log-key', former, logKey, '--url', stack.url, ...files];
    expect(await velum(args)).toMatchObject({ code: 0 });
    expect(existsSync(lock)).toBe(false);
  });

  test('passes on no signature that it did not check, and reads no answer without end', async () => {
    let endless = false;
    const note = await (await fetch(`${stack.url}/audit/checkpoint`)).text();
    const server = createServer((_, response) => {
      if (!endless) {
        response.end(`${note}— other.example/1 AAAA\n`);
        return;
      }
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    }).listen(0);
    await once(server, 'listening');
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const files = ['--key', join(folder, 'witness.key'), '--state', join(folder, 'other-state')];
    const args = ['audit', 'cosign', '--log-key', logKey, '--url', url, ...files];
    try {
      const { code, output } = await velum(args);
      expect([code, output.split('\n').filter((line) => line.startsWith('—')).length]).toEqual([0, 2]);
      expect(output).not.toContain('other.example');
      endless = true;
      expect(await velum(args)).toMatchObject({
        code: 1,
        output: expect.stringContaining('does not stop answering'),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('verifies an installation by its address', async () => {
    const child = spawn(
      process.execPath,
      ['libs/audit/verifier/verify-audit.mjs', stack.url, '--key', logKey],
      {
        env: { ...process.env, AUDIT_TOKEN: client.token },
      },
    );
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  });

  test('refuses a log that was rewritten or cut, and keeps what it cosigned last', async () => {
    const before = readFileSync(join(folder, 'state'), 'utf8');
    const { rows } = await stack.owner.query(
      'DELETE FROM audit_checkpoint WHERE tree_size = (SELECT max(tree_size) FROM audit_checkpoint) RETURNING *',
    );
    expect(await cosigned()).toMatchObject({
      code: 1,
      output: expect.stringContaining('it was cut. Not cosigned.'),
    });
    const { n, tree_size, note } = rows[0];
    await stack.owner.query('INSERT INTO audit_checkpoint (n, tree_size, note) VALUES ($1, $2, $3)', [
      n,
      tree_size,
      note,
    ]);
    ok(await client.post('/v1/subjects', {}));
    await everythingSequenced(stack);
    await stack.owner.query('UPDATE audit_tile SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 1)');
    expect(await cosigned()).toMatchObject({
      code: 1,
      output: expect.stringContaining('it was rewritten, or shows you another one'),
    });
    expect(readFileSync(join(folder, 'state'), 'utf8')).toBe(before);
  });
});
