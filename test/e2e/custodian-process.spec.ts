import type { OpeningRequest } from '#custody/key-custodian';
import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { CUSTODIAN_CALLS } from '#custody/wire/custodian-calls';
import { IncomingFrames, OUTCOMES, writeEnd, writeFrame } from '#custody/wire/frames';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asQuantisedProbe, asScore, quantiseProbe } from '#homomorphic/quantised-vector';
import { parseCustodianClient } from '#platform/custodian-config';
import { asId, newId } from '#platform/ids';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
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

/** However the other side refuses a handshake. */
const NO_ANSWER = /ALERT|ECONNRESET|EPROTO|closed/;

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
  expect(await ask('ready', stack.tlsFiles('velum_app'))).toBe('ok');
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
    expect(await ask('ready', stack.tlsFiles('velum_app'))).toBe('ok');
    expect(await ask('ready', stack.tlsFiles('velum_worker'))).toBe('ok');
    for (const name of ['onModuleInit', 'constructor', '', 'READY']) {
      expect(await ask(name, stack.tlsFiles('velum_app'))).toBe('unknown');
    }
    expect(await ask('a'.repeat(65), stack.tlsFiles('velum_app'))).toBe('closed');
  });

  test('refuses whoever else the internal authority knows', async () => {
    for (const role of ['velum_custodian', 'fluentd', 'velum_app2']) {
      expect(await ask('ready', stack.tlsFiles(role))).toBe('forbidden');
    }
  });

  test('lets the worker alone compare templates, move rows, and retire slots', async () => {
    for (const call of ['comparePairs', 'beginRotation', 'reseal', 'destroySegments', 'retire']) {
      const asked = (role: string): Promise<unknown> => ask(call, stack.tlsFiles(role), [Buffer.alloc(1)]);
      expect([call, await asked('velum_app'), await asked('velum_worker')]).toEqual([
        call,
        'forbidden',
        'malformed',
      ]);
    }
  });

  test('gives no connection without a certificate, with a stranger’s, or by TLS 1.2', async () => {
    const stranger = new Authority(dirname(stack.spoolFolder), 'stranger');
    const files = stack.tlsFiles('velum_app');
    const foreign = {
      ...stack.tlsFiles('velum_app', stranger),
      CUSTODIAN_TLS_CA_FILE: files['CUSTODIAN_TLS_CA_FILE'] ?? '',
    };
    expect(await ask('ready', foreign)).toMatch(NO_ANSWER);
    const none = { CUSTODIAN_TLS_CA_FILE: files['CUSTODIAN_TLS_CA_FILE'] ?? '' };
    expect(await ask('ready', none)).toMatch(NO_ANSWER);
    expect(await ask('ready', files, undefined, 'TLSv1.2')).toMatch(NO_ANSWER);
  });

  test('refuses what is no message before anything is done, and more than one', async () => {
    const files = stack.tlsFiles('velum_app');
    expect(await ask('destroy', files, [Buffer.alloc(15)])).toBe('malformed');
    expect(await ask('destroy', files, [])).toBe('malformed');
    expect(await ask('held', files, [Buffer.alloc(0), Buffer.alloc(0)])).toBe('malformed');
    expect(await ask('held', files, [Buffer.alloc(0)])).toBe('ok');
  });

  test('answers one call after the other over a connection, also after one that it refused', async () => {
    const socket = connectAs(stack.tlsFiles('velum_app'));
    const frames = new IncomingFrames(socket);
    for (const [name, message] of [
      ['held', Buffer.alloc(0)],
      ['destroy', Buffer.alloc(100_000)],
      ['nothing', Buffer.alloc(100_000)],
      ['comparePairs', Buffer.alloc(100_000)],
      ['held', Buffer.alloc(0)],
    ] as const) {
      writeCall(socket, name, [message]);
    }
    const outcomes: unknown[] = [];
    for (let n = 0; n < 5; n++) outcomes.push(OUTCOMES[(await frames.next())?.[0] ?? -1]);
    expect(outcomes).toEqual(['ok', 'malformed', 'unknown', 'forbidden', 'ok']);
    socket.destroy();
  });
});

test('a caller that announces messages and sends none shuts nobody else out, and itself for seconds only', async () => {
  const idle = [1, 2].map(() => connectAs(stack.tlsFiles('velum_app')));
  for (const socket of idle) {
    writeFrame(socket, Buffer.from('held'));
    socket.write(lengthOf(2 ** 27));
  }
  await expect.poll(() => askWrongly('velum_app'), { timeout: 5_000 }).toBe('refused');
  expect(await askWrongly('velum_worker')).toBe('malformed');
  await expect.poll(() => askWrongly('velum_app'), { timeout: 40_000, interval: 500 }).toBe('malformed');
  for (const socket of idle) socket.destroy();
});

test('a call that breaks off is answered nothing and recorded as what it was, and the custodian goes on', async () => {
  const gallery = await createGallery(client);
  const person = await enrolledPerson(client, gallery, embedding(5));
  const { encodeInput, encodePart } = CUSTODIAN_CALLS.openScores;
  const nothing = { c1: new Uint32Array(SLOTS_PER_SEGMENT), segments: [] };
  const messages = [encodeInput(openingOfNothing(gallery)).whole(), encodePart(nothing).whole()];
  const { internalUrl } = stack.custodians[0] ?? {};
  const ended = async (): Promise<number> => {
    const metrics = await Metrics.of(internalUrl);
    return metrics.value('velum_custody_answer_seconds_count', { call: 'openScores' }) ?? 0;
  };
  const before = await ended();
  const socket = connectAs(stack.tlsFiles('velum_app'));
  writeFrame(socket, Buffer.from('openScores'));
  // All but the end.
  for (const message of messages) writeFrame(socket, message);
  socket.write('', () => socket.destroy());
  await expect.poll(ended, { timeout: 20_000 }).toBe(before + 1);
  const refused = (): Promise<number> =>
    count(`custody.opening WHERE outcome = 'refused' AND gallery_id`, gallery);
  // Its probe is none.
  await expect.poll(refused, { timeout: 20_000 }).toBe(1);
  expect(ok(await verify(client, gallery, person.subjectId, embedding(5))).match).toBe(true);
  expect(await count('custody.opening WHERE gallery_id', gallery)).toBe(2);
  expect(await ask('openScores', stack.tlsFiles('velum_app'), messages)).toBe('refused');
  expect(await refused()).toBe(2);
});

test('whoever does not read its answers is not asked for more, and harms nobody', async () => {
  const memory = async (): Promise<number> => {
    const metrics = await Metrics.of(stack.custodians[0]?.internalUrl);
    return metrics.value('process_resident_memory_bytes') ?? NaN;
  };
  const before = await memory();
  const socket = connectAs(stack.tlsFiles('velum_app'));
  const call = Buffer.concat([lengthOf(1), Buffer.from('x'), lengthOf(0xffff_ffff)]);
  // Two million calls, whose answers would be a gigabyte while they wait.
  for (let n = 0; n < 2_000; n++) socket.write(Buffer.alloc(call.length * 1_000, call));
  const stalled = async (): Promise<boolean> => {
    const left = socket.writableLength;
    await setTimeout(3_000);
    return left > 0 && socket.writableLength === left;
  };
  await once(socket, 'secureConnect');
  await expect.poll(stalled, { timeout: 30_000, interval: 1 }).toBe(true);
  expect((await memory()) - before).toBeLessThan(150 * 2 ** 20);
  expect(await ask('held', stack.tlsFiles('velum_worker'))).toBe('ok');
  socket.destroy();
});

test('a connection that the custodian ended while it was idle costs its caller nothing', async () => {
  const custodian = await stack.startCustodian();
  const remote = remoteOf({ ...stack.custody('velum_worker', custodian), CUSTODIAN_MOST_CALLS: '1' });
  await remote.ready();
  await custodian.stop();
  const again = await stack.startCustodian(new URL(custodian.url).port);
  await remote.ready();
  remote.onApplicationShutdown();
  expect(await again.stop()).toBe(0);
});

test('a custodian that is told to end answers what it was asked before', async () => {
  const gallery = await createGallery(client);
  const custodian = await stack.startCustodian();
  const socket = connectAs(stack.tlsFiles('velum_app'), custodian.url);
  const frames = new IncomingFrames(socket);
  const { encodeInput, encodePart } = CUSTODIAN_CALLS.openScores;
  const clientId = newId<'client'>();
  const probe = quantiseProbe(embedding(1));
  writeFrame(socket, Buffer.from('openScores'));
  writeFrame(socket, encodeInput({ ...openingOfNothing(gallery), clientId, probe }).whole());
  // It has counted it, and waits for the scores.
  await expect.poll(() => count('custody.opening_count WHERE id', clientId), { timeout: 20_000 }).toBe(1);
  const stopped = custodian.stop();
  // It takes no other connection any more, and waits for this one.
  const another = (): Promise<string> =>
    ask('held', stack.tlsFiles('velum_app'), [], undefined, custodian.url);
  await expect.poll(another, { timeout: 20_000 }).toMatch(/ECONNREFUSED|ECONNRESET/);
  writeFrame(socket, encodePart({ c1: new Uint32Array(SLOTS_PER_SEGMENT), segments: [] }).whole());
  writeEnd(socket);
  expect((await frames.next())?.[0]).toBe(OUTCOMES.indexOf('ok'));
  expect(await stopped).toBe(0);
});

test('a call that cannot be written takes nobody’s place', async () => {
  const remote = remoteOf({ ...stack.custody('velum_worker'), CUSTODIAN_MOST_CALLS: '1' });
  await expect(remote.createKeySet(newId<'gallery'>(), 2 ** 40)).rejects.toThrow(RangeError);
  await remote.ready();
  remote.onApplicationShutdown();
});

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

function connectAs(
  files: Record<string, string>,
  url = stack.custodians[0]?.url ?? '',
  maxVersion?: 'TLSv1.2',
): TLSSocket {
  const read = (name: string): Buffer | undefined => {
    const file = files[`CUSTODIAN_TLS_${name}_FILE`];
    return file === undefined ? undefined : readFileSync(file);
  };
  const tls = { ca: read('CA'), cert: read('CERT'), key: read('KEY'), ...(maxVersion && { maxVersion }) };
  return connect({ host: 'localhost', port: Number(new URL(url).port), ...tls }).on('error', () => undefined);
}

function writeCall(socket: TLSSocket, name: string, messages: readonly Buffer[]): void {
  writeFrame(socket, Buffer.from(name));
  for (const message of messages) writeFrame(socket, message);
  writeEnd(socket);
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  return length;
}

/** The outcome, or the code of what went wrong. */
async function ask(
  name: string,
  files: Record<string, string>,
  messages: readonly Buffer[] = [Buffer.alloc(0)],
  maxVersion?: 'TLSv1.2',
  url?: string,
): Promise<string> {
  const socket = connectAs(files, url, maxVersion);
  const failed = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
  });
  writeCall(socket, name, messages);
  const answered = new IncomingFrames(socket)
    .next()
    .then((answer) => OUTCOMES[answer?.[0] ?? -1] ?? 'no outcome')
    .catch(() => failed);
  const outcome = await answered;
  socket.destroy();
  return outcome;
}

/** A call whose input is none. */
function askWrongly(role: string): Promise<string> {
  return ask('held', stack.tlsFiles(role), [Buffer.alloc(1)]);
}

function remoteOf(env: Record<string, string>): RemoteKeyCustodian {
  const config = parseCustodianClient(env, []);
  if (config === undefined) throw new Error('no custodian was configured');
  return new RemoteKeyCustodian(config);
}
