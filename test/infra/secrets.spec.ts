import { SECRET_NAMES } from '#platform/secrets';
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Runs functions of deploy.sh, and answers the words that they print. */
function words(script: string): string[] {
  const { stdout, stderr, status } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.split(/\s+/).filter(Boolean).sort();
}

/** Of the authority; they lie in a folder of their own. */
const AUTHORITY = ['internal_authority_key', 'internal_authority_certificate'];
const files = SECRET_NAMES.filter((name) => !AUTHORITY.includes(name));

test('what backup secrets keeps is what init makes: nothing that is lost with the server is left out', () => {
  const made = words(`
    . infra/deploy/init.sh
    make_secret() { echo "$1"; }
    make_empty_secret() { echo "$1"; }
    make_secrets`);
  expect(made.map((name) => name.replace(/\.(txt|pem)$/, ''))).toEqual([...files].sort());
});

test('a deploy asks for every secret but those of a bucket', () => {
  const asked = words(
    '. infra/deploy/preflight.sh; . infra/deploy/logging.sh; echo "$SECRETS $LOGGING_SECRETS"',
  );
  const wanted = files.filter((name) => !name.startsWith('aws_'));
  expect(asked.map((name) => name.replace(/\.(txt|pem)$/, ''))).toEqual([...wanted].sort());
});
