import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { appEnvironment, DEVELOPMENT_FOLDER, prepareApps, startInstallation } from './installation.js';

/**
 * `npm run velum -- …`: the command line against the installation that the environment names, or, where it names
 * none, against the development one, which is started for the moment if no demo runs.
 */
const args = process.argv.slice(2);
const named =
  process.env['DATABASE_URL'] !== undefined || process.env['MIGRATION_DATABASE_URL'] !== undefined;
const running = join(DEVELOPMENT_FOLDER, 'running.json');

if (named) process.exitCode = await runCli({});
else if (existsSync(running)) process.exitCode = await runCli(await readEnvironment());
else {
  const installation = await startInstallation(DEVELOPMENT_FOLDER);
  try {
    const { urls } = await prepareApps(installation, 'velum');
    process.exitCode = await runCli({
      ...appEnvironment(installation, urls),
      MIGRATION_DATABASE_URL: urls.owner,
    });
  } finally {
    await installation.stop();
  }
}

async function readEnvironment(): Promise<Record<string, string>> {
  const { readFile } = await import('node:fs/promises');
  const environment: Record<string, string> = JSON.parse(await readFile(running, 'utf8'));
  return environment;
}

function runCli(environment: Record<string, string>): Promise<number> {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, ['dist/apps/cli/main.js', ...args], { env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
