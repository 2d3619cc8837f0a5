import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { StubbedServer } from '../harness/stubbed-server.js';

const SERVERS = ['postgres', 'redis', 'elasticsearch', 'kibana'];

let installed: StubbedServer;
let server: StubbedServer;

const at = (name: string): string => join(server.folder, name);

/** Without their endings. */
function pairs(): string[] {
  const roles = readdirSync(at('ssl/internal')).filter(
    (name) => name.startsWith('velum_') && name.endsWith('.key'),
  );
  return [
    ...SERVERS.map((name) => `ssl/${name}/server`),
    ...roles.map((name) => `ssl/internal/${name.replace(/\.key$/, '')}`),
  ];
}

const openssl = (...args: string[]): string => spawnSync('openssl', args, { encoding: 'utf8' }).stdout;

/** Of each pair its certificate, if that is of its key and by one of the authorities. */
function certificates(authorities = at('ssl/authority/ca.crt')): Map<string, string> {
  return new Map(
    pairs().map((pair) => {
      const [key, crt] = [at(`${pair}.key`), at(`${pair}.crt`)];
      if (!existsSync(crt)) return [pair, 'none'];
      const own = openssl('x509', '-in', crt, '-noout', '-pubkey') === openssl('pkey', '-in', key, '-pubout');
      const ours = openssl('verify', '-CAfile', authorities, crt).includes(': OK');
      return [pair, own && ours ? readFileSync(crt, 'utf8') : 'does not fit'];
    }),
  );
}

function expectNewAuthority(before: ReadonlyMap<string, string>, authority: string): void {
  const now = readFileSync(at('ssl/authority/ca.crt'), 'utf8');
  expect(now).not.toBe(authority);
  for (const role of ['internal', ...SERVERS])
    expect(readFileSync(at(`ssl/${role}/ca.crt`), 'utf8')).toBe(now);
  for (const [pair, certificate] of certificates()) {
    expect(certificate, pair).toContain('BEGIN CERTIFICATE');
    expect(certificate, pair).not.toBe(before.get(pair));
  }
  expect(readdirSync(at('ssl/authority')).filter((name) => !name.startsWith('ca.'))).toEqual([]);
}

/** Files belong to root and to the users of the containers. */
describe.runIf(process.getuid?.() === 0)('the internal certificates', () => {
  beforeAll(() => {
    installed = new StubbedServer(inject('services').scratch);
    for (const args of [['init'], ['deploy', '--image', 'first']]) {
      const { status, text } = installed.run(...args);
      expect(status, text).toBe(0);
    }
  });

  beforeEach(() => {
    server = installed.copy();
  });

  test('are made anew for every server and every role, also for those of the logs', () => {
    server.becomes('kibana', 'healthy');
    const before = certificates();
    const { status, text } = server.run('rotate', 'certificates');
    expect(status, text).toBe(0);
    const after = certificates();
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect(after.size).toBe(9);
    for (const [pair, certificate] of after) {
      expect(certificate, pair).toContain('BEGIN CERTIFICATE');
      expect(certificate, pair).not.toBe(before.get(pair));
    }
    expect(server.calls).toContain('restart -t 120 kibana');
    expect(server.calls).not.toContain('restart -t 120 elasticsearch');
  });

  test('are by a new authority, and nobody trusts the one before', () => {
    const [before, authority] = [certificates(), readFileSync(at('ssl/authority/ca.crt'), 'utf8')];
    const { status, text } = server.run('rotate', 'authority');
    expect(status, text).toBe(0);
    expectNewAuthority(before, authority);
  });

  // PostgreSQL is told when both are trusted, when its certificate is of the new one, and when that is alone.
  test.each([1, 3])('are by a new authority if it is run again after a kill at step %i', (nth) => {
    const [before, authority] = [certificates(), readFileSync(at('ssl/authority/ca.crt'), 'utf8')];
    server.killAt('pg_reload_conf', nth);
    expect(server.run('rotate', 'authority').status).toBeNull();
    for (const [pair, certificate] of certificates(at('ssl/internal/ca.crt')))
      expect(certificate, pair).toContain('BEGIN CERTIFICATE');
    const { status, text } = server.run('rotate', 'authority');
    expect(status, text).toBe(0);
    expectNewAuthority(before, authority);
  });

  test('are whole after an init that follows one that was killed between a key and its certificate', () => {
    const before = certificates();
    const cut = ['ssl/redis/server', 'ssl/internal/velum_app'];
    for (const pair of cut) rmSync(at(`${pair}.crt`));
    rmSync(at('ssl/letsencrypt/live/velum/fullchain.pem'));
    const { status, text } = server.run('init');
    expect(status, text).toBe(0);
    for (const [pair, certificate] of certificates()) {
      if (cut.includes(pair)) expect(certificate, pair).toContain('BEGIN CERTIFICATE');
      else expect(certificate, pair).toBe(before.get(pair));
    }
    expect(existsSync(at('ssl/letsencrypt/live/velum/fullchain.pem'))).toBe(true);
  });

  test('are all of the new authority where that of before was never finished, or was moved away', () => {
    const before = certificates();
    rmSync(at('ssl/authority/ca.crt'));
    expect(server.run('init').status).toBe(0);
    for (const [pair, certificate] of certificates()) {
      expect(certificate, pair).toContain('BEGIN CERTIFICATE');
      expect(certificate, pair).not.toBe(before.get(pair));
    }
  });
});
