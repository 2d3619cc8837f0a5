import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { replaceAuthority, serials } from './authority.js';
import { eventually, expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import type { Ended, Installation } from './installation.js';
import { mainJob, type Story } from './story.js';
import { underLoad } from './under-load.js';

/** So short that a token of the old key can be waited for. */
const TOKEN_SECONDS = 150;

/** Every secret is replaced while client apps work. */
export async function checkRotation(
  table: Table,
  server: Installation,
  client: StackClient,
  story: Story,
): Promise<void> {
  server.set({ ACCESS_TOKEN_SECONDS: String(TOKEN_SECONDS) });
  const image = (await server.status()).services['api-blue']?.image ?? '';
  await succeed(server, 'deploy', '--image', image);
  const rotate = (what: string, ...args: string[]): Promise<Ended> => server.run(['rotate', what, ...args]);
  const loaded = (work: () => Promise<unknown>): Promise<string> =>
    underLoad(client, story, async () => void (await work()));

  await table.check('the signing key of tokens is replaced', async () => {
    const published: string[][] = [await kids(client)];
    const measured: string[] = [];
    await client.renew();
    const oldToken = client.keepingToken();
    const old = acceptedUntil(oldToken, Date.now() + (TOKEN_SECONDS - 15) * 1_000);
    // Told where it is waited for.
    old.catch(() => undefined);
    measured.push(await loaded(() => succeed(server, 'rotate', 'jwt')));
    published.push(await kids(client));
    expect((await rotate('jwt')).status === 1, 'a key was used before others could know it');
    measured.push(await loaded(() => succeed(server, 'rotate', 'jwt', '--now')));
    published.push(await kids(client));
    const [first, second, third] = published;
    expect(second?.[0] === first?.[0] && second?.length === 2, `published: ${published.join(' | ')}`);
    expect(third?.join() === second?.toReversed().join(), `published: ${published.join(' | ')}`);
    const early = await rotate('jwt');
    expect(early.status === 1 && early.text.includes('not before'), early.text);
    const calls = await old;
    const at = /not before (\S+):/.exec(early.text)?.[1] ?? '';
    await setTimeout(millisecondsUntil(at));
    measured.push(await loaded(() => succeed(server, 'rotate', 'jwt')));
    const last = await kids(client);
    expect(last.join() === third?.[0], `published at last: ${last.join()}`);
    const { status } = await oldToken.send('GET', '/v1/galleries');
    expect(status === 401, `a token of the key that is gone is answered ${status}`);
    return `${measured.join('; ')}; a token of the old key accepted ${calls} times until its end, then 401`;
  });

  server.set({ ACCESS_TOKEN_SECONDS: '7200' });
  await succeed(server, 'deploy', '--image', image);

  await table.check('the encryption key is replaced, and nothing is left under the old one', async () => {
    await client.renew();
    for (let i = 0; i < 300; i++) await client.json('POST', '/v1/subjects', { reference: `employee ${i}` });
    const oldKey = secret(server, 'db_encryption_key.txt');
    const measured = [await loaded(() => succeed(server, 'rotate', 'encryption-key'))];
    measured.push(await loaded(() => succeed(server, 'rotate', 'encryption-key')));
    await eventually(
      'the worker has put all under the new key',
      async () => (await server.run(['velum', 'keys', 'status', '--require-current'])).status === 0,
    );
    measured.push(await loaded(() => succeed(server, 'rotate', 'encryption-key')));
    const text = secret(server, 'db_encryption_key.txt');
    expect(
      text.startsWith('k2:') && !text.includes(oldKey) && !text.includes('\n'),
      'the old key is still there',
    );
    const { text: told } = await server.run(['velum', 'keys', 'status']);
    expect(told.includes('Under another key than k2: 0') && !told.includes(' k1 '), told);
    const records = sql(server, `SELECT details FROM audit_event WHERE type = 'encryption_key.rotated'`);
    expect(records.includes('"keyId": "k2"'), `the audit record: ${records}`);
    return `${measured.join('; ')}; audit record ${records}`;
  });

  await table.check('the key of segment secrets is replaced, by the custodian', async () => {
    await client.renew();
    const oldKey = secret(server, 'custody_encryption_key.txt');
    const step = (): Promise<string> => loaded(() => succeed(server, 'rotate', 'custody-encryption-key'));
    const measured = [await step(), await step()];
    const keys = `SELECT string_agg(DISTINCT key_id, ',') FROM sealed_values() WHERE name = 'custody.segment.secret'`;
    await eventually(
      'the custodian has put all under the new key',
      async () => sql(server, keys) === 'custody:c2',
    );
    measured.push(await step());
    const text = secret(server, 'custody_encryption_key.txt');
    expect(
      text.startsWith('c2:') && !text.includes(oldKey) && !text.includes('\n'),
      'the old key is still there',
    );
    await mainJob(client);
    return measured.join('; ');
  });

  await table.check('passwords of PostgreSQL and Redis are replaced, three times', async () => {
    const names = [
      'db_password.txt',
      'db_worker_password.txt',
      'redis_password.txt',
      'db_custodian_password.txt',
    ];
    const old = names.map((name) => secret(server, name));
    const measured = await loaded(async () => {
      for (let i = 0; i < 3; i++) {
        await succeed(server, 'rotate', 'database-passwords');
        await succeed(server, 'rotate', 'redis-password');
        const since = sql(server, 'SELECT now()');
        await eventually(
          'a new connection of the API',
          async () =>
            sql(
              server,
              `SELECT count(*) FROM pg_stat_activity WHERE usename = 'velum_app' AND backend_start > '${since}'`,
            ) !== '0',
        );
      }
    });
    names.forEach((name, i) => expect(secret(server, name) !== old[i], `${name} is as before`));
    const refused = server.probe('backend', oldPasswords(old[0] ?? '', old[2] ?? ''));
    expect(refused === '28P01\nWRONGPASS', refused);
    const statements = docker('logs', server.container('postgres'));
    expect(!names.some((name) => statements.includes(secret(server, name))), 'a password is in a log');
    return `${measured}; the old ones are refused`;
  });

  await table.check('the internal certificates are replaced', async () => {
    const before = serials(server);
    const measured = await loaded(() => succeed(server, 'rotate', 'certificates'));
    const after = serials(server);
    expect(
      after.every((serial, i) => serial !== before[i]),
      'a certificate is as before',
    );
    const shown = server.probe('backend', SHOWN_CERTIFICATES).split('\n');
    expect(shown.join() === after.slice(0, 2).join(), `shown are ${shown.join()}, made were ${after.join()}`);
    const { active } = await server.status();
    await eventually(
      'the custodian shows its own',
      async () => server.probe('custody', shownBy(`custodian-${active}`)) === after.at(-1),
    );
    await mainJob(client);
    return `${measured}; ${after.length} certificates`;
  });

  await table.check('the internal authority is replaced, and nothing of the old one is taken', async () => {
    const measured = await replaceAuthority(server, () =>
      loaded(() => succeed(server, 'rotate', 'authority')),
    );
    await mainJob(client);
    return measured;
  });

  await table.check('the salt of address hashes and the key of cursors are replaced', async () => {
    const names = ['ip_hash_salt.txt', 'secret_key.txt'];
    const old = names.map((name) => secret(server, name));
    const refused = await rotate('secret-key');
    expect(refused.status === 1 && refused.text.includes('nothing was changed'), refused.text);
    const measured = [
      await loaded(() => succeed(server, 'rotate', 'ip-hash-salt', '--yes')),
      await loaded(() => succeed(server, 'rotate', 'secret-key', '--yes')),
    ];
    names.forEach((name, i) => expect(secret(server, name) !== old[i], `${name} is as before`));
    await mainJob(client);
    return measured.join('; ');
  });

  await table.check('after it all is restarted everything works with the new secrets alone', async () => {
    for (const service of [
      'postgres',
      'redis',
      'custodian-blue',
      'custodian-green',
      'api-blue',
      'api-green',
      'worker-blue',
      'worker-green',
      'nginx',
    ]) {
      const id = server.container(service);
      if (id !== '') docker('restart', id);
    }
    await eventually('the stack is healthy', async () => {
      const { active, services } = await server.status();
      return ['postgres', 'redis', `api-${active}`, `worker-${active}`, `custodian-${active}`, 'nginx'].every(
        (service) => services[service]?.health === 'healthy',
      );
    });
    await client.renew();
    await mainJob(client);
    const answer = await client.send('POST', story.verifyPath, JSON.stringify({ embedding: story.face }));
    expect(answer.body.includes('"match":true'), answer.body);
    return 'enrolled, verified, identified, erased; the face of before matches';
  });
}

async function succeed(server: Installation, ...args: string[]): Promise<Ended> {
  const run = await server.run(args);
  expect(run.status === 0, `deploy.sh ${args.join(' ')} ended with ${run.status}:\n${run.text}`);
  return run;
}

async function kids(client: StackClient): Promise<string[]> {
  const { body } = await client.send('GET', '/.well-known/jwks.json');
  const { keys } = JSON.parse(body) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
}

/** Answers how often it was accepted; throws if it was refused before its end. */
async function acceptedUntil(client: StackClient, end: number): Promise<number> {
  let calls = 0;
  while (Date.now() < end) {
    const { status } = await client.send('GET', '/v1/galleries');
    expect(
      status === 200,
      `a token of the old key was answered ${status}, ${end - Date.now()} ms before its end`,
    );
    calls++;
    await setTimeout(500);
  }
  return calls;
}

function millisecondsUntil(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  const now = new Date();
  const wanted = (hours * 60 + minutes) * 60 + seconds;
  const passed = (now.getHours() * 60 + now.getMinutes()) * 60 + now.getSeconds();
  return (((wanted - passed + 86_400) % 86_400) + 1) * 1_000;
}

function secret(server: Installation, name: string): string {
  return readFileSync(join(server.folder, 'secrets', name), 'utf8').trim();
}

function sql(server: Installation, statement: string): string {
  return docker(
    'exec',
    server.container('postgres'),
    'psql',
    '-qAtX',
    '-U',
    'postgres',
    '-d',
    'velum',
    '-c',
    statement,
  );
}

function oldPasswords(database: string, redis: string): string {
  return `
    import { readFileSync } from 'node:fs';
    import pg from 'pg';
    import { Redis } from 'ioredis';
    const file = (name) => readFileSync('/tls/' + name);
    const ssl = { ca: file('ca.crt'), servername: 'postgres', cert: file('velum_app.crt'), key: file('velum_app.key') };
    const client = new pg.Client({ host: 'postgres', user: 'velum_app', database: 'velum', password: '${database}', ssl });
    client.on('error', () => undefined);
    await client.connect().then(() => console.log('in'), (error) => console.log(error.code));
    const options = { host: 'redis', password: '${redis}', tls: { ca: file('ca.crt'), servername: 'redis' } };
    const cache = new Redis({ ...options, retryStrategy: null, maxRetriesPerRequest: 0 });
    let why = '';
    cache.on('error', (error) => (why ||= error.message));
    await cache.ping().then(() => console.log('in'), (error) => console.log((why || error.message).split(' ')[0]));
    process.exit(0);`;
}

function shownBy(host: string): string {
  return `
  import { readFileSync } from 'node:fs';
  import { connect } from 'node:tls';
  const file = (name) => readFileSync('/tls/' + name);
  const socket = connect({ host: '${host}', port: 7443, servername: '${host}', ca: file('ca.crt'),
    cert: file('velum_app.crt'), key: file('velum_app.key') }, () => {
    console.log(socket.getPeerCertificate().serialNumber);
    process.exit(0);
  });`;
}

const SHOWN_CERTIFICATES = `
  import { readFileSync } from 'node:fs';
  import { connect } from 'node:tls';
  import pg from 'pg';
  const file = (name) => readFileSync('/tls/' + name);
  const password = readFileSync('/secrets/db_password.txt', 'utf8').trim();
  const ssl = { ca: file('ca.crt'), servername: 'postgres', cert: file('velum_app.crt'), key: file('velum_app.key') };
  const client = new pg.Client({ host: 'postgres', user: 'velum_app', database: 'velum', password, ssl });
  await client.connect();
  console.log(client.connection.stream.getPeerCertificate().serialNumber);
  const socket = connect({ host: 'redis', port: 6379, servername: 'redis', ca: file('ca.crt') }, () => {
    console.log(socket.getPeerCertificate().serialNumber);
    process.exit(0);
  });`;
