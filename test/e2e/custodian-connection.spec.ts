import { CustodianUnavailable } from '#custody/custody.errors';
import type { ScoresPart } from '#custody/key-custodian';
import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { CUSTODIAN_CALLS } from '#custody/wire/custodian-calls';
import { IncomingFrames, OUTCOMES, sendFrame } from '#custody/wire/frames';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asScore, quantiseProbe } from '#homomorphic/quantised-vector';
import { parseCustodianClient } from '#platform/custodian-config';
import { newId } from '#platform/ids';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Authority } from '../harness/certificates.js';
import { embedding } from '../harness/story.js';

const folder = mkdtempSync(join(tmpdir(), 'velum-connection-'));
const authority = new Authority(folder, 'internal');
const open = new Set<TLSSocket>();

let server: Server;
let remote: RemoteKeyCustodian;
/** What a connection does, the first, the second and so on. */
let lives: ((frames: IncomingFrames, socket: TLSSocket) => Promise<void>)[] = [];

beforeAll(async () => {
  const [own, asking] = ['velum_custodian', 'velum_app'].map((name) => authority.sign(name));
  if (own === undefined || asking === undefined) throw new Error('no certificates');
  const [cert, key, ca] = [own.cert, own.key, authority.cert].map((file) => readFileSync(file));
  server = createServer({ cert, key, ca, requestCert: true }, (socket) => {
    open.add(socket.on('error', () => undefined));
    const live = lives.shift();
    live?.(new IncomingFrames(socket), socket).catch(() => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const config = parseCustodianClient(
    {
      CUSTODIAN_URL: `https://localhost:${port}`,
      CUSTODIAN_TLS_CA_FILE: authority.cert,
      CUSTODIAN_TLS_CERT_FILE: asking.cert,
      CUSTODIAN_TLS_KEY_FILE: asking.key,
      CUSTODIAN_TIMEOUT_MS: '20000',
    },
    [],
  );
  if (config === undefined) throw new Error('no custodian was configured');
  remote = new RemoteKeyCustodian(config);
});

afterEach(() => {
  lives = [];
  remote.onApplicationShutdown();
  for (const socket of open) socket.destroy();
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const OK = Buffer.of(OUTCOMES.indexOf('ok'));
const NO_CANDIDATES = Buffer.alloc(4);

/** The name of a call and all of its messages. */
async function wholeCall(frames: IncomingFrames): Promise<Buffer[]> {
  const came: Buffer[] = [];
  for (let frame = await frames.next(); frame !== undefined; frame = await frames.next()) came.push(frame);
  return came;
}

async function answerReady(frames: IncomingFrames, socket: TLSSocket): Promise<void> {
  await wholeCall(frames);
  await sendFrame(socket, OK);
}

const request = {
  about: 'gallery',
  places: [],
  clientId: newId<'client'>(),
  galleryId: newId<'gallery'>(),
  probe: quantiseProbe(embedding(1)),
  threshold: asScore(1),
  limit: 1,
} as const;

function part(c1: ScoresPart['c1'], word: number): ScoresPart {
  const c0 = new Uint32Array(SLOTS_PER_SEGMENT).fill(word);
  return { c1, segments: [{ segmentId: newId(), slots: Uint16Array.of(word), c0 }] };
}

test('what was sent over a connection that had ended is sent once more, in its order and once, and what follows too', async () => {
  const [first, second, third] = [
    part(new Uint32Array(SLOTS_PER_SEGMENT), 1),
    part(undefined, 2),
    part(undefined, 3),
  ];
  const { encodeInput, encodePart } = CUSTODIAN_CALLS.openScores;
  // The views that are sent are given back afterwards.
  const expected = [encodeInput(request), ...[first, second, third].map(encodePart)].map((each) =>
    each.whole(),
  );
  const gone = Promise.withResolvers<void>();
  const came = Promise.withResolvers<Buffer[]>();
  lives = [
    async (frames, socket) => {
      await answerReady(frames, socket);
      // The name, the request and a part, and it is gone.
      for (let n = 0; n < 3; n++) await frames.next();
      socket.destroy();
      gone.resolve();
    },
    async (frames, socket) => {
      came.resolve(await wholeCall(frames));
      await sendFrame(socket, OK, NO_CANDIDATES);
    },
  ];
  await remote.ready();
  const scores = async function* (): AsyncGenerator<ScoresPart> {
    yield first;
    await gone.promise;
    yield second;
    yield third;
  };
  expect(await remote.openScores(request, scores())).toEqual([]);
  const [name, ...messages] = await came.promise;
  expect(String(name)).toBe('openScores');
  expect(messages.map((each) => each.equals(expected[messages.indexOf(each)] ?? Buffer.alloc(0)))).toEqual(
    expected.map(() => true),
  );
});

test('a connection that ends at its first call is not tried again, and whoever makes the scores is told to stop', async () => {
  let stopped = false;
  lives = [
    async (frames, socket) => {
      await frames.next();
      socket.destroy();
    },
    answerReady,
  ];
  const scores = async function* (): AsyncGenerator<ScoresPart> {
    try {
      for (;;) yield part(undefined, 1);
    } finally {
      stopped = true;
    }
  };
  await expect(remote.openScores(request, scores())).rejects.toThrow(CustodianUnavailable);
  await expect.poll(() => stopped, { timeout: 20_000 }).toBe(true);
  expect(lives).toHaveLength(1);
  await remote.ready();
});
