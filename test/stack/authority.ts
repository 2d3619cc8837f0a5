import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, expect } from './check.js';
import type { Installation } from './installation.js';

/** While `rotate` runs; afterwards a certificate of the old authority opens nothing. */
export async function replaceAuthority(server: Installation, rotate: () => Promise<string>): Promise<string> {
  const [before, authority] = [serials(server), file(server, 'internal', 'ca.crt')];
  const stolen = {
    cert: file(server, 'internal', 'velum_app.crt'),
    key: file(server, 'internal', 'velum_app.key'),
  };
  const measured = await rotate();
  const after = serials(server);
  expect(
    after.every((serial, i) => serial !== before[i]),
    'a certificate is as before',
  );
  const trusted = new Set(['internal', 'postgres', 'redis'].map((role) => file(server, role, 'ca.crt')));
  expect(trusted.size === 1 && !trusted.has(authority), 'not everybody trusts the new authority alone');
  const { active } = await server.status();
  const password = readFileSync(join(server.folder, 'secrets/db_password.txt'), 'utf8').trim();
  await eventually(
    'PostgreSQL refuses a certificate of the old authority',
    async () => server.probe('backend', databaseScript(stolen, password)) === 'before: refused\nnow: taken',
  );
  await eventually(
    'the custodian refuses a certificate of the old authority',
    async () => server.probe('custody', custodianScript(stolen, active)) === 'before: refused\nnow: taken',
  );
  return `${measured}; ${after.length} certificates by the new one; PostgreSQL and custodian refuse one of before`;
}

/** Of PostgreSQL, of Redis, and of the roles. */
export function serials({ folder }: Installation): string[] {
  return [
    'postgres/server',
    'redis/server',
    'internal/velum_app',
    'internal/velum_worker',
    'internal/velum_custodian',
  ].map((path) => new X509Certificate(readFileSync(join(folder, 'ssl', `${path}.crt`))).serialNumber);
}

function file({ folder }: Installation, role: string, name: string): string {
  return readFileSync(join(folder, 'ssl', role, name), 'utf8').trim();
}

/** As the API: with what was copied before, and with what is there now. */
function asTheApi(stolen: object): string {
  return `
    import { readFileSync } from 'node:fs';
    const read = (name) => readFileSync('/tls/' + name, 'utf8');
    const now = { cert: read('velum_app.crt'), key: read('velum_app.key') };
    const identities = Object.entries({ before: ${JSON.stringify(stolen)}, now });
    const ca = read('ca.crt');`;
}

function databaseScript(stolen: object, password: string): string {
  return `${asTheApi(stolen)}
    import pg from 'pg';
    for (const [name, identity] of identities) {
      const client = new pg.Client({ host: 'postgres', user: 'velum_app', database: 'velum',
        password: ${JSON.stringify(password)}, ssl: { ca, ...identity, servername: 'postgres' } });
      client.on('error', () => undefined);
      console.log(name + ': ' + await client.connect().then(() => 'taken', () => 'refused'));
    }
    process.exit(0);`;
}

/** The call of its method `ready`, as libs/custody/wire/frames.ts has it. */
const READY = Buffer.concat([
  Buffer.of(5, 0, 0, 0),
  Buffer.from('ready'),
  Buffer.alloc(4),
  Buffer.alloc(4, 0xff),
]).toString('base64');

function custodianScript(stolen: object, colour: string): string {
  return `${asTheApi(stolen)}
    import { connect } from 'node:tls';
    const host = 'custodian-${colour}';
    for (const [name, identity] of identities) {
      const answered = await new Promise((resolve) => {
        const socket = connect({ ca, ...identity, host, servername: host, port: 7443 });
        socket.write(Buffer.from('${READY}', 'base64'));
        socket.once('data', () => resolve('taken'));
        socket.on('error', () => undefined).once('close', () => resolve('refused'));
      });
      console.log(name + ': ' + answered);
    }
    process.exit(0);`;
}
