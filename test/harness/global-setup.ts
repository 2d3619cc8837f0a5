import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { asOwner, migrateDatabase, prepareDatabase } from '../../infra/dev/database.js';
import { startInstallation } from '../../infra/dev/installation.js';

const TEMPLATE = `velum_template_${process.pid}`;

export interface TestServices {
  readonly server: string;
  readonly secretsFolder: string;
  readonly template: string;
  /** Where the tests of this run may put files. */
  readonly scratch: string;
  /** Set when REDIS_URL names one for all; else every spec file starts its own. */
  readonly redisUrl: string | undefined;
}

declare module 'vitest' {
  interface ProvidedContext {
    services: TestServices;
  }
}

/** One PostgreSQL for the run, apart from the demo's, with a migrated database that each spec file copies. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const installation = await startInstallation(resolve('.velum/test'));
  const { owner } = await prepareDatabase(installation.server, TEMPLATE, installation.secretsFolder);
  migrateDatabase(owner);
  const scratch = mkdtempSync(join(tmpdir(), 'velum-test-'));
  // A PostgreSQL of a spec file's own runs as another user, who walks through.
  chmodSync(scratch, 0o711);
  project.provide('services', {
    server: installation.server,
    secretsFolder: installation.secretsFolder,
    template: TEMPLATE,
    scratch,
    redisUrl: process.env['REDIS_URL'],
  });
  return async () => {
    await asOwner(new URL('/postgres', installation.server).toString(), (client) =>
      client.query(`DROP DATABASE IF EXISTS ${TEMPLATE}`),
    );
    await installation.stop();
    rmSync(scratch, { recursive: true, force: true });
  };
}
