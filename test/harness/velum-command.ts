import { type ChildProcess, spawn } from 'node:child_process';
import type { Credentials } from './test-client.js';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a process, as a client app's operator runs it: it knows of no database. */
export class VelumCommand {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(url: string, { clientId, clientSecret }: Credentials, args: readonly string[]) {
    const env = {
      PATH: process.env['PATH'],
      VELUM_URL: url,
      VELUM_CLIENT_ID: clientId,
      VELUM_CLIENT_SECRET: clientSecret,
    };
    const child = spawn(process.execPath, ['dist/apps/cli/main.js', ...args], { env });
    this.child = child;
    child.stdout.on('data', (part: Buffer) => (this.stdout += part.toString()));
    child.stderr.on('data', (part: Buffer) => (this.stderr += part.toString()));
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}
