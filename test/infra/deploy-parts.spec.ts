import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

const FOLDER = 'infra/deploy';

// They are read into one shell, where the last of a name wins without a word.
test('no two parts of deploy.sh have a function of the same name', () => {
  const names = readdirSync(FOLDER).flatMap((file) =>
    [...readFileSync(join(FOLDER, file), 'utf8').matchAll(/^([a-z_]+)\(\)/gm)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(50);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test.each([
  { command: 'retention run', service: 'worker-green' },
  { command: 'retention run --dry-run', service: 'velum' },
  { command: 'clients list', service: 'velum' },
])('deploy.sh velum $command is run by $service', ({ command, service }) => {
  const folder = mkdtempSync(join(inject('services').scratch, 'deploy-'));
  mkdirSync(join(folder, 'state/active'), { recursive: true });
  writeFileSync(join(folder, 'state/active/green'), '');
  const script = `
    . ${join(process.cwd(), FOLDER, 'stack.sh')}; . ${join(process.cwd(), FOLDER, 'colours.sh')}
    compose() { echo "$*"; }
    velum ${command}`;
  const { stdout, status } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  const program = service === 'velum' ? '' : 'dist/apps/cli/main.js ';
  expect(stdout).toBe(`run --rm -T --no-deps ${service} ${program}${command}\n`);
});
