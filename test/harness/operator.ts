import { spawn } from 'node:child_process';
import type { Ended } from './velum-command.js';

/** The command line as an operator runs it, with the environment of the installation. */
export function velum(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  input = '',
): Promise<Ended> {
  const child = spawn(process.execPath, ['dist/apps/cli/main.js', ...args], {
    env: { PATH: process.env['PATH'], ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
