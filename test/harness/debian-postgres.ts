import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from '../../infra/dev/ports.js';

const INSTALLED = '/usr/lib/postgresql';

/** Backups need pg_dump of the server's version, which no npm package has: so their tests have Debian's server too. */
export const hasDebianPostgres = existsSync(INSTALLED) && versions().length > 0;

export interface DebianPostgres {
  /** Of the superuser. */
  readonly url: string;
  /** Where pg_dump and the other programs are. */
  readonly programs: string;
  stop(): void;
}

export async function startDebianPostgres(folder: string): Promise<DebianPostgres> {
  const [version = ''] = versions();
  const programs = join(INSTALLED, version, 'bin');
  const password = randomBytes(24).toString('base64url');
  const passwordFile = join(folder, 'password');
  const data = join(folder, 'data');
  mkdirSync(folder, { recursive: true });
  // The server runs as another user than root.
  chmodSync(folder, 0o777);
  chmodSync(dirname(folder), 0o711);
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const port = await freePort();
  const flags = [
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
  ];
  run(join(programs, 'initdb'), ['-D', data, ...flags]);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  run(join(programs, 'pg_ctl'), ['-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start']);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}`,
    programs,
    stop: () => run(join(programs, 'pg_ctl'), ['-D', data, '-m', 'immediate', 'stop']),
  };
}

/** Newest first; a folder may hold the client alone. */
function versions(): string[] {
  return readdirSync(INSTALLED)
    .filter((version) => existsSync(join(INSTALLED, version, 'bin', 'initdb')))
    .sort((a, b) => Number(b) - Number(a));
}

function run(program: string, args: readonly string[]): void {
  const command = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--', program] : [program];
  const [first = '', ...rest] = [...command, ...args];
  const { status, stderr } = spawnSync(first, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}
