import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'velum-clocks-'));

afterAll(() => rmSync(folder, { recursive: true }));

test('after a switch back and forth an old key stays for as long as what the other colour signed with it', () => {
  const { stdout, stderr } = spawnSync(
    'bash',
    [
      '-euo',
      'pipefail',
      '-c',
      `. '${resolve('infra/deploy/stack.sh')}'
       . '${resolve('infra/deploy/rotate-keys.sh')}'
       mkdir state
       remember rotation_jwt promoted:100
       remember rotation_encryption added:100
       remember rotation_custody promote:abc
       restart_key_clocks
       for name in jwt encryption custody; do remembered "rotation_$name"; done`,
    ],
    { encoding: 'utf8', cwd: folder },
  );
  const [jwt = '', encryption = '', custody] = stdout.split('\n');
  const now = Date.now() / 1_000;
  expect(stderr).toBe('');
  expect(Number(jwt.replace('promoted:', ''))).toBeGreaterThan(now - 60);
  expect(Number(encryption.replace('added:', ''))).toBeGreaterThan(now - 60);
  // Not a time: which key is the old one.
  expect(custody).toBe('promote:abc');
});
