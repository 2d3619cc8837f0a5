import { spawn } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { PASSWORD_FILE } from '#platform/database-client';
import { CannotBackUp } from '../cannot-back-up.js';
import { collect } from './streams.js';

type Tool = 'pg_dump' | 'pg_restore';

/** A tool dumps from servers of its own major version and older ones (PostgreSQL manual, pg_dump, Notes). */
export async function requireTool(tool: Tool, serverMajor: number): Promise<void> {
  const said = await collect(outputOf(tool, ['--version']));
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(said.toString())?.[1] ?? 0);
  if (major < serverMajor) {
    throw new CannotBackUp(
      `${tool} is of version ${major} and the server of ${serverMajor}: install postgresql-client-${serverMajor}.`,
    );
  }
}

/**
 * What a tool writes. The stream ends only after the tool has said that all went well: a tool that fails or is killed
 * breaks the stream, so that half a dump never looks like one.
 */
export async function* outputOf(
  tool: Tool,
  args: readonly string[],
  databaseUrl?: string,
): AsyncGenerator<Uint8Array> {
  const child = start(tool, args, databaseUrl);
  child.process.stdin.end();
  try {
    yield* child.process.stdout;
    await child.ended;
  } finally {
    child.process.kill('SIGKILL');
  }
}

/** Gives `input` to a tool; throws if the tool fails or `input` breaks. */
export async function feed(
  tool: Tool,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
  databaseUrl?: string,
): Promise<void> {
  const child = start(tool, args, databaseUrl);
  child.process.stdout.resume();
  try {
    await pipeline(input, child.process.stdin).catch(async (error: unknown) => {
      // A tool that ended early has more to say than the pipe that it closed.
      if (isBrokenPipe(error)) await child.ended;
      throw error;
    });
    await child.ended;
  } finally {
    child.process.kill('SIGKILL');
  }
}

function start(tool: Tool, args: readonly string[], databaseUrl?: string) {
  const { password, target } = connection(databaseUrl);
  const child = spawn(tool, [...args, ...target], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Never as an argument: other users of the machine can read those.
    env: { ...process.env, LC_ALL: 'C', ...password },
  });
  const said: string[] = [];
  child.stderr.on('data', (part: Buffer) => said.push(part.toString()));
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(missing ? new CannotBackUp(`${tool} is not installed: install postgresql-client.`) : error);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new CannotBackUp(`${tool} ended with ${signal ?? code}: ${firstFault(said.join(''))}`));
    });
  });
  // Whoever reads the stream first may not be waiting for this yet.
  ended.catch(() => undefined);
  return { process: child, ended };
}

function connection(databaseUrl: string | undefined): {
  password: Record<string, string>;
  target: readonly string[];
} {
  if (databaseUrl === undefined) return { password: {}, target: [] };
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  url.searchParams.delete(PASSWORD_FILE);
  return {
    password: password === '' ? {} : { PGPASSWORD: password },
    target: ['--no-password', `--dbname=${url.toString()}`],
  };
}

/** The first line: later ones may quote rows. */
function firstFault(said: string): string {
  return said.trim().split('\n')[0]?.slice(0, 300) ?? '';
}

function isBrokenPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  );
}
