import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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

const demo = named ? undefined : runningDemo();
if (named) process.exitCode = await runCli({});
else if (demo !== undefined) process.exitCode = await runCli(demo);
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

/** The environment of the demo that runs; one that was killed leaves the file behind, not the process. */
function runningDemo(): Record<string, string> | undefined {
  if (!existsSync(running)) return undefined;
  const { pid, env }: { pid: number; env: Record<string, string> } = JSON.parse(
    readFileSync(running, 'utf8'),
  );
  try {
    process.kill(pid, 0);
    return env;
  } catch {
    return undefined;
  }
}

function runCli(environment: Record<string, string>): Promise<number> {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, ['dist/apps/cli/main.js', ...args], { env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
