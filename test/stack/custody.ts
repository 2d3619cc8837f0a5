import { OUTCOMES } from '#custody/wire/frames';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Table } from './check.js';
import { addressesOf, tcpScript } from './doors.js';
import { docker } from './engine.js';
import type { Installation } from './installation.js';

const PORT = 7443;

/** What opens keys. */
const OF_CUSTODIAN = ['custody_encryption_key', 'db_custodian_password', 'velum_custodian_key'];
/** What the custodian has no use for. */
const OF_OTHERS = [
  'secret_key',
  'jwt_private_key',
  'redis_password',
  'ip_hash_salt',
  'audit_signing_key',
  'db_password',
  'db_worker_password',
  'db_owner_password',
  'db_superuser_password',
  'velum_app_key',
  'velum_worker_key',
];

/** The custodian is alone with its secrets, and answers nobody but API and worker. */
export async function checkCustody(table: Table, server: Installation): Promise<void> {
  const { active } = await server.status();
  const custodian = `custodian-${active}`;

  await table.check('the custodian is reached from its own network alone', async () => {
    const [address = ''] = addressesOf(server.container(custodian));
    const script = tcpScript([custodian, address].map((host) => ({ host, port: PORT })));
    for (const network of ['frontend', 'backend', 'outward']) {
      const reached = server.probe(network, script);
      expect(reached === '', `reached from ${network}: ${reached}`);
    }
    const control = server.probe('custody', script);
    expect(control.split('\n').length === 2, `the probe itself is blind: ${control}`);
    return 'not from frontend, backend or outward; by name and address from custody';
  });

  await table.check('the custodian has no way out, and Redis and nginx none to it', async () => {
    const members = ['redis', 'nginx', 'backup'].flatMap((service) =>
      networksOf(server.container(service)).includes('custody') ? [service] : [],
    );
    expect(members.length === 0, `on its network: ${members.join()}`);
    const own = networksOf(server.container(custodian));
    expect(own.join() === 'custody', `the custodian is on ${own.join()}`);
    const internal = docker('network', 'inspect', '-f', '{{.Internal}}', `${server.project}_custody`);
    expect(internal === 'true', 'its network has a way out');
    return 'one network, which is internal';
  });

  await table.check(
    'API and worker have none of the secrets of the custodian, and it none of theirs',
    async () => {
      for (const service of [`api-${active}`, `worker-${active}`]) {
        const found = heldBy(server, service, OF_CUSTODIAN);
        expect(found.length === 0, `${service} holds ${found.join()}`);
      }
      const found = heldBy(server, custodian, OF_OTHERS);
      expect(found.length === 0, `the custodian holds ${found.join()}`);
      const control = heldBy(server, custodian, OF_CUSTODIAN);
      expect(control.length === OF_CUSTODIAN.length, 'the search itself is blind');
      return `${OF_CUSTODIAN.length} and ${OF_OTHERS.length} searched for, in files and variables`;
    },
  );

  await table.check('the custodian answers no certificate but those of API and worker', async () => {
    const answers = server.probe('custody', callersScript(custodian));
    const expected = [
      'as the API: ok',
      'as the worker: ok',
      'without a certificate: nothing',
      'as who makes backups: forbidden',
      'as the owner of the tables: forbidden',
      'as the custodian: forbidden',
      'with a certificate of its own making: nothing',
      'by TLS 1.2: nothing',
      'in the clear: nothing',
    ].join('\n');
    expect(answers === expected, answers);
    return answers.replaceAll('\n', ', ');
  });
}

/** The networks of the project that a container is on, without the project's name. */
function networksOf(container: string): string[] {
  if (container === '') return [];
  const networks = JSON.parse(docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', container));
  return Object.keys(networks as object).map((name) => name.replace(/^[^_]*_/, ''));
}

/** Which of these secrets the process of a service could read. */
function heldBy(server: Installation, service: string, names: readonly string[]): string[] {
  const read = 'cat /run/secrets/* /proc/1/environ';
  const { stdout, status } = spawnSync('docker', ['exec', server.container(service), 'sh', '-c', read], {
    encoding: 'utf8',
  });
  expect(status === 0 && stdout.length > 1_000, `the secrets of ${service} cannot be looked at`);
  return names.filter((name) => stdout.includes(textOf(server, name)));
}

function textOf({ folder }: Installation, name: string): string {
  const path = name.startsWith('velum_')
    ? `ssl/internal/${name.replace(/_key$/, '.key')}`
    : `secrets/${name}.${/jwt|audit/.test(name) ? 'pem' : 'txt'}`;
  return readFileSync(join(folder, path), 'utf8').trim();
}

/** Of the right name, by nobody's authority. */
function selfSigned(): { cert: string; key: string } {
  const options = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=velum_app',
  ];
  const { stdout } = spawnSync('openssl', ['req', '-x509', ...options, '-keyout', '-', '-out', '-'], {
    encoding: 'utf8',
  });
  const at = stdout.indexOf('-----BEGIN CERTIFICATE');
  return { key: stdout.slice(0, at), cert: stdout.slice(at) };
}

/** With TLS 1.3 a server refuses a certificate after the client holds the handshake to be over: what counts is an answer. */
function callersScript(host: string): string {
  return `
  import { readFileSync } from 'node:fs';
  import { connect as connectPlainly } from 'node:net';
  import { connect } from 'node:tls';
  const file = (name) => readFileSync('/tls/' + name);
  const tls = { host: '${host}', port: ${PORT}, servername: '${host}', ca: file('ca.crt') };
  const of = (role) => ({ ...tls, cert: file(role + '.crt'), key: file(role + '.key') });
  const own = ${JSON.stringify(selfSigned())};
  const tries = {
    'as the API': () => connect(of('velum_app')),
    'as the worker': () => connect(of('velum_worker')),
    'without a certificate': () => connect(tls),
    'as who makes backups': () => connect(of('velum_backup')),
    'as the owner of the tables': () => connect(of('velum_owner')),
    'as the custodian': () => connect(of('velum_custodian')),
    'with a certificate of its own making': () => connect({ ...tls, ...own }),
    'by TLS 1.2': () => connect({ ...of('velum_app'), maxVersion: 'TLSv1.2' }),
    'in the clear': () => connectPlainly({ host: '${host}', port: ${PORT} }),
  };
  const lengthOf = (bytes) => Buffer.from(new Uint32Array([bytes]).buffer);
  const name = Buffer.from('ready');
  const call = Buffer.concat([lengthOf(name.length), name, lengthOf(0), lengthOf(0xffffffff)]);
  const outcomes = ${JSON.stringify(OUTCOMES)};
  for (const [name, open] of Object.entries(tries)) {
    const answer = await new Promise((resolve) => {
      const socket = open();
      socket.write(call);
      // An outcome is the first byte after the answer's length.
      socket.once('data', (data) => resolve(outcomes[data[4]] ?? 'nothing'));
      socket.on('error', () => undefined);
      socket.once('close', () => resolve('nothing'));
      socket.setTimeout(3000, () => resolve('nothing, and keeps the line open'));
    });
    console.log(name + ': ' + answer);
  }
  process.exit(0);`;
}
