import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoClient } from './demo-client.js';
import { DEVELOPMENT_FOLDER } from './installation.js';

export interface DemoCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

const KEPT = join(DEVELOPMENT_FOLDER, 'demo-client.json');

/** The same client at each start, where its database is the same: its galleries stay within reach. */
export async function demoCredentials(url: string, env: Record<string, string>): Promise<DemoCredentials> {
  if (existsSync(KEPT)) {
    const kept: DemoCredentials = JSON.parse(readFileSync(KEPT, 'utf8'));
    const known = await DemoClient.connect(url, kept.clientId, kept.clientSecret).catch(() => undefined);
    if (known !== undefined) return kept;
  }
  const made = createClient(env);
  writeFileSync(KEPT, JSON.stringify(made), { mode: 0o600 });
  return made;
}

function createClient(env: Record<string, string>): DemoCredentials {
  const args = ['dist/apps/cli/main.js', 'clients', 'create', '--name', 'Demo', '--scopes', 'all', '--json'];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
