import { NetworkList } from '#platform/network-list';
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GuardedPost } from './guarded-post.js';
import { ReceiverPolicy } from './receiver-policy.js';

let names: Socket;
let asked: number;
/** What the name server answers to the first question for IPv4 addresses, to the second, and so on. */
let answers: string[][];
const servers: Server[] = [];

beforeEach(async () => {
  asked = 0;
  answers = [];
  names = createSocket('udp4');
  names.on('message', (query, from) => {
    // RFC 1035 section 4: the question ends with its type (1 is A) and class.
    const end = query.indexOf(0, 12) + 5;
    const wanted = query.readUInt16BE(end - 4) === 1 ? answers[asked++] : [];
    // A server that never answers.
    if (wanted === undefined) return;
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(wanted.length, 6);
    head.writeUInt16BE(0, 10);
    const records = wanted.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    names.send(Buffer.concat([head, query.subarray(12, end), ...records]), from.port, from.address);
  });
  names.bind(0, '127.0.0.1');
  await once(names, 'listening');
});

afterEach(() => {
  names.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(address: string, answer: RequestListener, port = 0): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  server.listen(port, address);
  await once(server, 'listening');
  return portOf(server);
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen');
  return address.port;
}

function post(allowed: readonly string[], timeoutMs = 2_000): GuardedPost {
  const policy = new ReceiverPolicy(NetworkList.parse(allowed) ?? new NetworkList());
  return new GuardedPost(policy, { timeoutMs, nameServers: [`127.0.0.1:${names.address().port}`] });
}

const send = (to: GuardedPost, url: string): ReturnType<GuardedPost['send']> =>
  to.send(new URL(url), { 'content-type': 'application/json' }, '{}');

test('the address that was judged is the one that is called, though the name leads elsewhere by then', async () => {
  answers = [['127.0.0.1'], ['127.0.0.2']];
  const called: string[] = [];
  const note: RequestListener = (request, response) => {
    called.push(request.socket.localAddress ?? '');
    response.end();
  };
  const port = await serve('127.0.0.1', note);
  await serve('127.0.0.2', note, port);
  expect(await send(post(['127.0.0.1/32']), `http://hooks.example:${port}/`)).toEqual({ status: 200 });
  expect([called, asked]).toEqual([['127.0.0.1'], 1]);
});

test('of the addresses of a name only those that are permitted are called', async () => {
  answers = [['127.0.0.2', '10.0.0.1', '127.0.0.1']];
  let called = 0;
  const port = await serve('127.0.0.1', (_request, response) => response.writeHead(204).end());
  await serve('127.0.0.2', () => called++, port);
  expect(await send(post(['127.0.0.1/32']), `http://hooks.example:${port}/`)).toEqual({ status: 204 });
  expect(called).toBe(0);
});

test('a name that leads to private addresses is refused, and nobody is called', async () => {
  let called = 0;
  const port = await serve('127.0.0.1', () => called++);
  answers = [['127.0.0.1', '10.0.0.1', '169.254.169.254']];
  for (const url of [
    `https://hooks.example:${port}/`,
    `https://127.0.0.1:${port}/`,
    `https://[::1]:${port}/`,
  ]) {
    expect(await send(post([]), url)).toEqual({ failure: 'address_refused' });
  }
  expect(called).toBe(0);
});

test('a host that the operator names is found as the system finds it', async () => {
  const port = await serve('127.0.0.1', (_request, response) => response.end());
  expect(await send(post(['localhost']), `http://localhost:${port}/`)).toEqual({ status: 200 });
});

test('a redirection is an answer: it is not followed', async () => {
  let called = 0;
  const inner = await serve('127.0.0.1', () => called++);
  const port = await serve('127.0.0.1', (_request, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${inner}/` }).end();
  });
  expect(await send(post(['127.0.0.1']), `http://127.0.0.1:${port}/`)).toEqual({ status: 307 });
  expect(called).toBe(0);
});

test('who does not answer, or answers names never, is left after the time that is given', async () => {
  const port = await serve('127.0.0.1', () => undefined);
  const started = performance.now();
  for (const url of [`http://127.0.0.1:${port}/`, 'http://hooks.example/']) {
    expect(await send(post(['127.0.0.1'], 200), url)).toEqual({ failure: 'timed_out' });
  }
  expect(performance.now() - started).toBeLessThan(1_500);
});

test('nobody at the address, and no address at the name, are told apart', async () => {
  const port = await serve('127.0.0.1', () => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  expect(await send(post(['127.0.0.1']), `http://127.0.0.1:${port}/`)).toEqual({
    failure: 'connection_failed',
  });
  answers = [[]];
  expect(await send(post([]), 'https://hooks.example/')).toEqual({ failure: 'name_unresolved' });
});

test('the status counts; an endless answer after it is cut off', async () => {
  let cutOff: () => void;
  const closed = new Promise<void>((resolve) => (cutOff = resolve));
  const port = await serve('127.0.0.1', (_request, response) => {
    response.writeHead(200);
    const flow = setInterval(() => response.write('x'.repeat(1_000)), 1);
    response.once('close', () => {
      clearInterval(flow);
      cutOff();
    });
  });
  expect(await send(post(['127.0.0.1'], 30_000), `http://127.0.0.1:${port}/`)).toEqual({ status: 200 });
  await closed;
});

/** Made anew for each run: a key in the repository would be one that somebody trusts. */
function certificateFor(host: string): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'velum-certificate-'));
  const [keyout, out] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', keyout, '-out', out], { stdio: 'ignore' });
  const made = { key: readFileSync(keyout, 'utf8'), cert: readFileSync(out, 'utf8') };
  rmSync(folder, { recursive: true });
  return made;
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test.skipIf(!hasOpenssl && process.env['CI'] === undefined)(
  'over https the certificate must be one that is trusted, for the name that was asked for',
  async () => {
    const identity = certificateFor('hooks.example');
    const asNamed: (string | undefined)[] = [];
    const server = createSecureServer(identity, (request, response) => {
      asNamed.push(request.headers.host);
      response.writeHead(204).end();
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = portOf(server);
    const allowed = post(['127.0.0.1/32']);
    answers = [['127.0.0.1'], ['127.0.0.1'], ['127.0.0.1']];
    expect(await send(allowed, `https://hooks.example:${port}/`)).toEqual({ failure: 'certificate_refused' });
    setDefaultCACertificates([identity.cert]);
    expect(await send(allowed, `https://hooks.example:${port}/`)).toEqual({ status: 204 });
    expect(await send(allowed, `https://other.example:${port}/`)).toEqual({ failure: 'certificate_refused' });
    expect(asNamed).toEqual([`hooks.example:${port}`]);
  },
);
