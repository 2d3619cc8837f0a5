import { spawn } from 'node:child_process';
import { appEnvironment, DEVELOPMENT_FOLDER, prepareApps, startInstallation } from './installation.js';
import { runningDemo } from './running-demo.js';

/**
 * `npm run velum -- …`: the command line against the installation that the environment names, or, where it names
 * none, against the development one, which is started for the moment if no demo runs. What speaks to the API does so as
 * the client of the demo that runs, unless another is named.
 */
const args = process.argv.slice(2);
const demo = runningDemo();

if (args[0] === 'enrol') process.exitCode = await runCli(namesApi() ? {} : (demo?.client ?? {}));
else if (args[0] === 'backup' && args[1] !== 'run') {
  process.exitCode = await runCli({ VELUM_ENV: process.env['VELUM_ENV'] ?? 'development' });
} else if (args[0] === 'audit' && args[1] !== 'reconcile') process.exitCode = await runCli({});
else if (namesDatabase()) process.exitCode = await runCli({});
else if (demo !== undefined) process.exitCode = await runCli(demo.env);
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

function namesDatabase(): boolean {
  return process.env['DATABASE_URL'] !== undefined || process.env['MIGRATION_DATABASE_URL'] !== undefined;
}

/** The demo's secret goes to no other API, and another client is not mixed up with it. */
function namesApi(): boolean {
  const options = args.some((arg) => /^--(url|client-id|client-secret-file)(=|$)/.test(arg));
  return options || process.env['VELUM_URL'] !== undefined || process.env['VELUM_CLIENT_ID'] !== undefined;
}

function runCli(environment: Readonly<Record<string, string>>): Promise<number> {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, ['dist/apps/cli/main.js', ...args], { env, stdio: 'inherit' });
  // Ctrl-C reaches the child too, which may have a last word.
  process.on('SIGINT', () => child.kill('SIGINT'));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
