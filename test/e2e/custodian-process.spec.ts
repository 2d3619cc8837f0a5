import type { OpeningRequest } from '#custody/key-custodian';
import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { CUSTODIAN_CALLS } from '#custody/wire/custodian-calls';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asQuantisedProbe, asScore } from '#homomorphic/quantised-vector';
import { parseCustodianClient } from '#platform/custodian-config';
import { asId, newId } from '#platform/ids';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authority } from '../harness/certificates.js';
import { documentedMetrics, Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import {
  consentingPeople,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  identify,
  ok,
  similar,
  verify,
} from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
  await stack.startCustodian();
  await stack.startApi(stack.custody('velum_app'));
  await stack.startWorker(stack.custody('velum_worker'));
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

test('with keys in another process a face is enrolled, verified, found, erased, and its gallery destroyed', async () => {
  const gallery = await createGallery(client);
  const [known, other] = [await enrolledPerson(client, gallery, embedding(1)), embedding(2)];
  await enrolledPerson(client, gallery, other);
  expect(ok(await verify(client, gallery, known.subjectId, similar(embedding(1), 9))).match).toBe(true);
  expect(ok(await verify(client, gallery, known.subjectId, other)).match).toBe(false);
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([
    { subjectId: known.subjectId, templateId: expect.any(String) },
  ]);
  ok(await client.post(`/v1/consents/${known.consentId}/withdraw`));
  expect(ok(await identify(client, gallery, embedding(1))).candidates).toEqual([]);
  await expect.poll(() => count('template WHERE gallery_id', gallery), { timeout: 20_000 }).toBe(1);
  expect((await client.delete(`/v1/galleries/${gallery}`)).status).toBe(204);
  expect(await count('custody.key_set WHERE gallery_id', gallery)).toBe(0);
  expect((await identify(client, gallery, other)).status).toBe(404);
});

test('the control map sees that keys are apart from the API', async () => {
  const officer = await TestClient.create(stack, 'admin:compliance');
  const { controls } = ok(await officer.get('/v1/admin/records/controls'));
  for (const id of ['A.5.18', 'A.8.2']) {
    expect(controls.find((control: Json) => control.id === id)).toMatchObject({
      state: 'met',
      evidence: { custodyApartFromApi: true, auditLogRewritableByApi: false },
    });
  }
});

test('a domain error of the custodian is told as one', async () => {
  const gallery = await createGallery(client);
  const person = await enrolledPerson(client, gallery, embedding(3));
  await stack.owner.query('DELETE FROM custody.key_set WHERE gallery_id = $1', [gallery]);
  const answer = await verify(client, gallery, person.subjectId, embedding(3));
  expect([answer.status, answer.body.code]).toEqual([410, 'key_set_destroyed']);
  expect((await enrol(client, gallery, person.subjectId, embedding(4))).body.code).toBe('key_set_destroyed');
});

test('two custodians side by side give no slot twice, and what one destroys is gone for the other', async () => {
  const second = await stack.startCustodian();
  const api = await stack.startApi(stack.custody('velum_app', second));
  const gallery = await createGallery(client);
  const people = await consentingPeople(client, 20);
  const urls = [stack.url, api.url];
  const answers = await Promise.all(
    people.flatMap(({ subjectId }, i) =>
      [0, 1, 2, 3].map((j) =>
        enrol(client.at(urls[(i + j) % 2] ?? ''), gallery, subjectId, embedding(i * 10 + j)),
      ),
    ),
  );
  answers.forEach(ok);
  const { rows } = await stack.owner.query(
    `SELECT count(*)::int AS templates, count(DISTINCT (segment_id, slot))::int AS slots,
            (SELECT sum(used)::int FROM custody.segment WHERE gallery_id = $1) AS given
     FROM template WHERE gallery_id = $1`,
    [gallery],
  );
  expect(rows).toEqual([{ templates: 80, slots: 80, given: 80 }]);
  for (const url of urls)
    expect(ok(await identify(client.at(url), gallery, embedding(13))).candidates).toHaveLength(1);

  await stack.owner.query('DELETE FROM custody.key_set WHERE gallery_id = $1', [gallery]);
  for (const url of urls) expect((await identify(client.at(url), gallery, embedding(13))).status).toBe(410);
});

test('a renewed certificate counts for the next connection, of the custodian and of those who ask it', async () => {
  const before = await certificateOfCustodian();
  // The same files, as a renewal writes them.
  stack.tlsFiles('velum_custodian');
  stack.tlsFiles('velum_app');
  await expect.poll(certificateOfCustodian, { timeout: 20_000 }).not.toBe(before);
  expect(await post('/calls/ready', stack.tlsFiles('velum_app'))).toBe(200);
});

test('the custodian’s own metrics are the documented ones, and it says that it is ready', async () => {
  const { internalUrl } = stack.custodians[0] ?? {};
  expect((await fetch(`${internalUrl}/health/ready`)).status).toBe(200);
  const { described } = await Metrics.of(internalUrl);
  const documented = documentedMetrics();
  const served = [...described.keys()].filter((name) => name.startsWith('velum_'));
  expect(documented.map(({ name }) => name)).toEqual(expect.arrayContaining(served));
  expect(served).toEqual(
    expect.arrayContaining(documented.filter(({ by }) => by === 'custodian').map(({ name }) => name)),
  );
});

describe('the custodian’s port', () => {
  test('answers api and worker, its port’s methods alone', async () => {
    expect(await post('/calls/ready', stack.tlsFiles('velum_app'))).toBe(200);
    expect(await post('/calls/ready', stack.tlsFiles('velum_worker'))).toBe(200);
    expect(await post('/calls/onModuleInit', stack.tlsFiles('velum_app'))).toBe(404);
    expect(await post('/', stack.tlsFiles('velum_app'))).toBe(404);
  });

  test('refuses whoever else the internal authority knows', async () => {
    for (const role of ['velum_custodian', 'fluentd', 'velum_app2']) {
      expect(await post('/calls/ready', stack.tlsFiles(role))).toBe(403);
    }
  });

  test('lets the worker alone compare templates, move rows, and retire slots', async () => {
    for (const call of ['comparePairs', 'beginRotation', 'reseal', 'destroySegments', 'retire']) {
      const asked = (role: string): Promise<unknown> =>
        post(`/calls/${call}`, stack.tlsFiles(role), undefined, Buffer.alloc(1));
      expect([call, await asked('velum_app'), await asked('velum_worker')]).toEqual([call, 403, 400]);
    }
    expect(await post('/calls/compare%50airs', stack.tlsFiles('velum_app'))).toBe(403);
  });

  test('gives no connection without a certificate, with a stranger’s, or by TLS 1.2', async () => {
    const stranger = new Authority(dirname(stack.spoolFolder), 'stranger');
    const files = stack.tlsFiles('velum_app');
    const foreign = {
      ...stack.tlsFiles('velum_app', stranger),
      CUSTODIAN_TLS_CA_FILE: files['CUSTODIAN_TLS_CA_FILE'] ?? '',
    };
    expect(await post('/calls/ready', foreign)).toMatch(/ALERT|ECONNRESET/);
    expect(
      await post('/calls/ready', { CUSTODIAN_TLS_CA_FILE: files['CUSTODIAN_TLS_CA_FILE'] ?? '' }),
    ).toMatch(/ALERT|ECONNRESET/);
    expect(await post('/calls/ready', files, 'TLSv1.2')).toBe('EPROTO');
  });

  test('refuses what is no message before anything is done', async () => {
    expect(await post('/calls/destroy', stack.tlsFiles('velum_app'), undefined, Buffer.alloc(15))).toBe(400);
  });
});

test('a caller that announces bodies and sends none shuts nobody else out, and itself for seconds only', async () => {
  const files = stack.tlsFiles('velum_app');
  const read = (name: string): Buffer => readFileSync(files[`CUSTODIAN_TLS_${name}_FILE`] ?? '');
  const { port } = new URL(stack.custodians[0]?.url ?? '');
  const tls = { ca: read('CA'), cert: read('CERT'), key: read('KEY'), host: 'localhost', port: Number(port) };
  const idle = [1, 2].map(() => connect(tls));
  for (const socket of idle) {
    socket.on('error', () => undefined);
    socket.write(`POST /calls/held HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${2 ** 27}\r\n\r\n`);
  }
  const asked = (role: string): Promise<number | string> =>
    post('/calls/held', stack.tlsFiles(role), undefined, Buffer.alloc(1));
  await expect.poll(() => asked('velum_app'), { timeout: 5_000 }).toBe(422);
  expect(await asked('velum_worker')).toBe(400);
  await expect.poll(() => asked('velum_app'), { timeout: 40_000, interval: 500 }).toBe(400);
  for (const socket of idle) socket.destroy();
});

test('a request that breaks off opens nothing and is recorded as nothing, and the custodian goes on', async () => {
  const gallery = await createGallery(client);
  const person = await enrolledPerson(client, gallery, embedding(5));
  const { encodeInput, encodePart } = CUSTODIAN_CALLS.openScores;
  const nothing = { c1: new Uint32Array(SLOTS_PER_SEGMENT), segments: [] };
  const body = bodyOf(encodeInput(openingOfNothing(gallery)).whole(), encodePart(nothing).whole());
  const { internalUrl } = stack.custodians[0] ?? {};
  const ended = async (): Promise<number> => {
    const metrics = await Metrics.of(internalUrl);
    return metrics.value('velum_custody_answer_seconds_count', { call: 'openScores' }) ?? 0;
  };
  const before = await ended();
  const files = stack.tlsFiles('velum_app');
  const read = (name: string): Buffer => readFileSync(files[`CUSTODIAN_TLS_${name}_FILE`] ?? '');
  const { port } = new URL(stack.custodians[0]?.url ?? '');
  const tls = { ca: read('CA'), cert: read('CERT'), key: read('KEY'), host: 'localhost', port: Number(port) };
  const socket = connect(tls);
  socket.write(
    `POST /calls/openScores HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  // All but its last byte.
  socket.write(body.subarray(0, -1), () => socket.destroy());
  await expect.poll(ended, { timeout: 20_000 }).toBe(before + 1);
  expect(await count('custody.opening WHERE gallery_id', gallery)).toBe(0);
  expect(ok(await verify(client, gallery, person.subjectId, embedding(5))).match).toBe(true);
  expect(await count('custody.opening WHERE gallery_id', gallery)).toBe(1);
  // Had it come whole, it would have been judged.
  expect(await post('/calls/openScores', files, undefined, body)).toBe(422);
  expect(await count(`custody.opening WHERE outcome = 'refused' AND gallery_id`, gallery)).toBe(1);
});

test('a call that cannot be written takes nobody’s place', async () => {
  const env = { ...stack.custody('velum_worker'), CUSTODIAN_MOST_CALLS: '1' };
  const config = parseCustodianClient(env, []);
  if (config === undefined) throw new Error('no custodian was configured');
  const remote = new RemoteKeyCustodian(config);
  await expect(remote.createKeySet(newId<'gallery'>(), 2 ** 40)).rejects.toThrow(RangeError);
  await remote.ready();
  remote.onApplicationShutdown();
});

/** Messages of one call, as they are sent. */
function bodyOf(...messages: Buffer[]): Buffer<ArrayBuffer> {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(message.length);
      return [length, message];
    }),
  );
}

/** Of a probe that is none. */
function openingOfNothing(galleryId: string): OpeningRequest {
  return {
    about: 'gallery',
    clientId: newId(),
    galleryId: asId(galleryId),
    probe: asQuantisedProbe(new Int8Array(64)),
    places: [],
    threshold: asScore(1),
    limit: 1,
  };
}

async function count(where: string, value: string): Promise<number> {
  const { rows } = await stack.owner.query(`SELECT count(*)::int AS n FROM ${where} = $1`, [value]);
  return rows[0].n;
}

function certificateOfCustodian(): Promise<string> {
  const { port } = new URL(stack.custodians[0]?.url ?? '');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: 'localhost', port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    }).on('error', reject);
  });
}

/** The status, or the code of what went wrong. */
function post(
  path: string,
  files: Record<string, string>,
  maxVersion?: 'TLSv1.2',
  body = Buffer.alloc(0),
): Promise<number | string> {
  const read = (name: string): Buffer | undefined => {
    const file = files[`CUSTODIAN_TLS_${name}_FILE`];
    return file === undefined ? undefined : readFileSync(file);
  };
  const { port } = new URL(stack.custodians[0]?.url ?? '');
  const tls = { ca: read('CA'), cert: read('CERT'), key: read('KEY'), ...(maxVersion && { maxVersion }) };
  return new Promise((resolve) => {
    request({ host: 'localhost', port, path, method: 'POST', agent: false, ...tls }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end(body);
  });
}
