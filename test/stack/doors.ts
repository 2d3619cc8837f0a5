import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { connect } from 'node:tls';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import type { Installation } from './installation.js';
import { expectNothingPrivate, logsOfAll, photographOfNobody } from './private-words.js';
import { sendPhotograph } from './story.js';

const SERVERS = [
  ['postgres', 5432],
  ['redis', 6379],
] as const;

/** Of answers that are not pages; HSTS comes beside them, from nginx. */
const HEADERS: Readonly<Record<string, RegExp>> = {
  'x-content-type-options': /^nosniff$/,
  'content-security-policy': /default-src/,
  'referrer-policy': /^no-referrer$/,
  'x-frame-options': /^(DENY|SAMEORIGIN)$/,
  'cross-origin-resource-policy': /^same-origin$/,
  'x-request-id': /^[\w.-]{8,64}$/,
};

/** Who must not get in, and where nothing may be heard. */
export async function checkDoors(table: Table, server: Installation, client: StackClient): Promise<void> {
  await table.check('from the frontend network nobody reaches PostgreSQL or Redis', async () => {
    const targets = SERVERS.flatMap(([name, port]) =>
      [name, ...addressesOf(server.container(name))].map((host) => ({ host, port })),
    );
    const reached = server.probe('frontend', tcpScript(targets));
    expect(reached === '', `reached: ${reached}`);
    // PostgreSQL is on that of the custodian as well.
    const control = ['backend', 'custody'].flatMap((name) =>
      server.probe(name, tcpScript(targets)).split('\n').filter(Boolean),
    );
    expect(new Set(control).size === targets.length, `the probe itself is blind: ${control.join()}`);
    return `${targets.length} addresses tried, 0 reached; ${targets.length} from the networks that they are on`;
  });

  await table.check('only nginx is published', async () => {
    const ports = docker(
      'ps',
      '--filter',
      `label=com.docker.compose.project=${server.project}`,
      '--format',
      '{{.Label "com.docker.compose.service"}} {{.Ports}}',
    );
    const published = ports.split('\n').filter((line) => line.includes('->'));
    expect(published.length === 1 && published[0]?.startsWith('nginx ') === true, published.join('; '));
    return published.join();
  });

  await table.check('the backend network has no way out', async () => {
    const target = { host: ownAddress(), port: server.httpsPort };
    const out = server.probe('backend', tcpScript([target]));
    expect(out === '', `reached: ${out}`);
    const control = server.probe('outward', tcpScript([target]));
    expect(control !== '', 'the probe itself is blind');
    return 'this machine is not reached from it, but from the network of the workers';
  });

  await table.check('PostgreSQL: no plaintext, no wrong certificate, no wrong password', async () => {
    const answers = server.probe('backend', POSTGRES_SCRIPT);
    expect(
      answers ===
        [
          'all in order: in',
          'in the clear: 28000',
          'no certificate: 28000',
          'certificate of another role: 28P01',
          'wrong password: 28P01',
          'superuser: 28000',
          'another database: 42501',
          'as the worker with the certificate of the API: 28P01',
        ].join('\n'),
      answers,
    );
    return answers.replaceAll('\n', ', ');
  });

  await table.check('Redis: no plaintext, no connection without the password', async () => {
    const answers = server.probe('backend', REDIS_SCRIPT);
    expect(
      /^all in order: PONG\nin the clear: (?!PONG).*\nno password: NOAUTH.*\nwrong password: WRONGPASS/.test(
        answers,
      ),
      answers,
    );
    return answers.replaceAll('\n', ', ');
  });

  await table.check('TLS 1.2 and 1.3 only, HTTP goes to HTTPS, HSTS', async () => {
    const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
    const accepted: string[] = [];
    for (const version of versions) if (await handshake(server.httpsPort, version)) accepted.push(version);
    expect(accepted.join() === 'TLSv1.2,TLSv1.3', `accepted: ${accepted.join()}`);
    const redirect = await plain(server.httpPort);
    expect(redirect === '301 https://velum.localhost/v1/models', redirect);
    const { headers } = await client.send('GET', '/v1/models');
    expect(/^max-age=\d{7,}/.test(headers['strict-transport-security'] ?? ''), 'no HSTS');
    for (const [name, value] of Object.entries(HEADERS)) {
      const shown = String(headers[name] ?? '');
      expect(value.test(shown), `${name}: ${shown}`);
    }
    const told = ['server', 'x-powered-by'].flatMap((name) => headers[name] ?? []).join();
    expect(!/\d/.test(told), `versions are told: ${told}`);
    return `${accepted.join(', ')}; ${redirect}; ${headers['strict-transport-security']}; ${Object.keys(HEADERS).join(', ')}`;
  });

  await table.check('too large a body and too many calls are refused as problems', async () => {
    const large = await client.send('POST', '/oauth/token', 'x'.repeat(200_000));
    expect(
      large.status === 413 && large.body.includes('"code":"body_too_large"'),
      `${large.status} ${large.body}`,
    );
    expect(large.headers['strict-transport-security'] !== undefined, 'the refusal has no HSTS');
    const many = await Promise.all(
      Array.from({ length: 120 }, () => client.send('POST', '/oauth/token', 'grant_type=client_credentials')),
    );
    const limited = many.filter(({ status }) => status === 429);
    expect(limited.length > 20, `${limited.length} of ${many.length} were limited`);
    const odd = limited.find(({ body }) => !body.includes('"code":"rate_limited"'));
    expect(odd === undefined, odd?.body ?? '');
    return `413 body_too_large; ${limited.length} of ${many.length} token requests at once 429 rate_limited`;
  });

  await table.check('an address has 200 calls at once, and no more', async () => {
    const [most, sent] = [200, 240];
    const answers = await callsInHand(server, sent, sent - most);
    const refused = answers.filter((line) => line.startsWith('HTTP/1.1 429'));
    expect(refused.length === sent - most, `${refused.length} of ${sent} were refused: ${answers[0]}`);
    return `${sent} calls whose bodies do not come: ${refused.length} are answered 429`;
  });

  await table.check('no log holds an address, a secret, a photograph or an embedding', async () => {
    const photograph = await photographOfNobody();
    const refused = await sendPhotograph(client, photograph);
    expect(refused.body.includes('"code":"no_face"'), `${refused.status} ${refused.body}`);
    return lookThroughLogs(server, photograph);
  });
}

/** Of all containers of now; throws if something private is among them. */
export async function lookThroughLogs(server: Installation, photograph?: Buffer): Promise<string> {
  const text = await logsOfAll(server);
  const lines = text.split('\n').length;
  expect(lines > 100, 'there are no logs to look at');
  expectNothingPrivate(server, text, photograph);
  return `${lines} lines looked through`;
}

/** Of this machine, beyond the loopback interface and Docker's bridges. */
export function ownAddress(): string {
  const found = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    /^(docker|br-|veth)/.test(name)
      ? []
      : addresses.filter(({ family, internal }) => family === 'IPv4' && !internal),
  );
  if (found[0] === undefined) throw new Error('this machine has no address');
  return found[0].address;
}

/** On each network that it is on. */
export function addressesOf(container: string): string[] {
  const networks = docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', container);
  return Object.values<{ IPAddress: string }>(JSON.parse(networks)).map(({ IPAddress }) => IPAddress);
}

/** Prints which of these take a connection. */
export function tcpScript(targets: readonly { host: string; port: number }[]): string {
  return `
    import { connect } from 'node:net';
    for (const { host, port } of ${JSON.stringify(targets)}) await new Promise((next) => {
      const socket = connect({ host, port, timeout: 2000 });
      socket.on('connect', () => { console.log(host, port); socket.destroy(); });
      socket.on('timeout', () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('close', next);
    });`;
}

const POSTGRES_SCRIPT = `
  import { readFileSync } from 'node:fs';
  import pg from 'pg';
  const password = readFileSync('/secrets/db_password.txt', 'utf8').trim();
  const tls = { ca: readFileSync('/tls/ca.crt'), servername: 'postgres' };
  const of = (role) => ({ ...tls, cert: readFileSync('/tls/' + role + '.crt'), key: readFileSync('/tls/' + role + '.key') });
  const app = { host: 'postgres', user: 'velum_app', database: 'velum', password, ssl: of('velum_app') };
  const tries = {
    'all in order': app,
    'in the clear': { ...app, ssl: false },
    'no certificate': { ...app, ssl: tls },
    'certificate of another role': { ...app, ssl: of('velum_owner') },
    'wrong password': { ...app, password: 'wrong' },
    'superuser': { ...app, user: 'postgres' },
    'another database': { ...app, database: 'postgres' },
    'as the worker with the certificate of the API': { ...app, user: 'velum_worker' },
  };
  for (const [name, config] of Object.entries(tries)) {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    try { await client.connect(); console.log(name + ': in'); } catch (error) { console.log(name + ': ' + error.code); }
    await client.end().catch(() => undefined);
  }
  process.exit(0);`;

const REDIS_SCRIPT = `
  import { readFileSync } from 'node:fs';
  import { Redis } from 'ioredis';
  const password = readFileSync('/secrets/redis_password.txt', 'utf8').trim();
  const tls = { ca: readFileSync('/tls/ca.crt'), servername: 'redis' };
  const app = { host: 'redis', password, tls, retryStrategy: null, maxRetriesPerRequest: 0 };
  const tries = {
    'all in order': app,
    'in the clear': { ...app, tls: undefined },
    'no password': { ...app, password: undefined },
    'wrong password': { ...app, password: 'wrong' },
  };
  for (const [name, options] of Object.entries(tries)) {
    const redis = new Redis(options);
    let why = '';
    redis.on('error', (error) => (why ||= error.message));
    try { console.log(name + ': ' + (await redis.ping())); } catch (error) { console.log(name + ': ' + (why || error.message)); }
    redis.disconnect();
  }
  process.exit(0);`;

function handshake(port: number, version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      minVersion: version,
      maxVersion: version,
      // Without it this side would refuse the old versions before nginx is asked.
      ciphers: 'DEFAULT:@SECLEVEL=0',
      // What is offered is looked at, not whose it is.
      rejectUnauthorized: false,
    });
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Opens so many connections, each with a call whose body does not come; the first lines of the first answers. */
async function callsInHand(server: Installation, calls: number, wanted: number): Promise<string[]> {
  const head =
    'POST /v1/subjects HTTP/1.1\r\nHost: velum.localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
  const answers: string[] = [];
  const enough = Promise.withResolvers<void>();
  const sockets = Array.from({ length: calls }, () => {
    const options = {
      host: '127.0.0.1',
      port: server.httpsPort,
      servername: 'velum.localhost',
      ca: server.certificate,
    };
    const socket = connect(options, () => socket.write(head));
    socket.once('error', (error) => enough.reject(error));
    socket.once('data', (part) => {
      answers.push(part.toString().split('\r\n')[0] ?? '');
      if (answers.length >= wanted) enough.resolve();
    });
    return socket;
  });
  try {
    await enough.promise;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  return answers;
}

function plain(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: '/v1/models',
      headers: { host: 'velum.localhost' },
    });
    sent.once('response', (response) => {
      response.resume();
      resolve(`${response.statusCode} ${response.headers.location}`);
    });
    sent.once('error', reject);
    sent.end();
  });
}
