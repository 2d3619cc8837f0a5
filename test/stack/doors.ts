import { request } from 'node:http';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { networkInterfaces } from 'node:os';
import { connect } from 'node:tls';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import type { Installation } from './installation.js';

const SERVERS = [
  ['postgres', 5432],
  ['redis', 6379],
] as const;

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
    expect(headers['x-content-type-options'] === 'nosniff', 'no nosniff');
    return `${accepted.join(', ')}; ${redirect}; ${headers['strict-transport-security']}`;
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

  await table.check('no log holds an address of a client, a secret or an embedding', async () => {
    const { services } = await server.status();
    const logs = Object.keys(services).map((service) => logOf(server.container(service)));
    const text = logs.join('\n');
    expect(text.split('\n').length > 100, 'there are no logs to look at');
    for (const name of readdirSync(join(server.folder, 'secrets'))) {
      const secret = readFileSync(join(server.folder, 'secrets', name), 'utf8').trim();
      expect(secret === '' || !text.includes(secret), `the secret ${name} is in a log`);
    }
    // As nginx sees who calls from this machine.
    const gateway = docker(
      'inspect',
      '-f',
      '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}',
      server.container('nginx'),
    );
    expect(gateway !== '', 'nginx has no gateway');
    const address = new RegExp(`\\b${gateway.replaceAll('.', '\\.')}\\b`);
    expect(!address.test(text), 'the address of a client is in a log');
    expect(!/(-?0\.\d+,\s*){8}/.test(text), 'an embedding is in a log');
    return `${text.split('\n').length} lines looked through`;
  });
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

/** What a container wrote to both of its outputs; nothing if there is none. */
function logOf(container: string): string {
  if (container === '') return '';
  const { stdout, stderr } = spawnSync('docker', ['logs', container], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return stdout + stderr;
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
