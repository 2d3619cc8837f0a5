import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Table } from './check.js';
import { StackClient } from './client.js';
import { docker } from './engine.js';
import { IMAGE, type Installation } from './installation.js';
import { mainJob } from './story.js';

/** A server of its own with Compose 2; all other parts run with the Compose 1.29 of Debian 12. */
export async function checkCompose(table: Table, server: Installation): Promise<void> {
  const plugins = mkdtempSync(join(tmpdir(), 'velum-compose-'));
  try {
    await table.check(
      'with Compose 2: init, two deploys, the main job, rollback, scale, cleanup',
      async () => {
        const { status, stderr } = spawnSync('test/stack/images/compose-v2.sh', [plugins], {
          encoding: 'utf8',
        });
        expect(status === 0, stderr);
        process.env['DOCKER_CONFIG'] = plugins;
        server.replaceServer();
        await server.init();
        await server.succeed('deploy', '--image', IMAGE);
        const known = readFileSync(join(server.folder, 'state/known'), 'utf8');
        expect(known.includes('compose=docker compose\n'), known);
        const client = new StackClient(server.httpsPort, server.certificate);
        await client.connect(await server.createClient());
        await mainJob(client);
        const database = server.container('postgres');
        await server.succeed('deploy', '--image', IMAGE);
        await server.succeed('rollback');
        await server.succeed('scale', 'worker=2', 'api=1');
        expect(server.container('postgres') === database, 'PostgreSQL was made anew');
        await mainJob(client);
        await server.succeed('cleanup', '--yes-delete-everything');
        const left = docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${server.project}`);
        expect(left === '', 'containers are left');
        return `Compose ${docker('compose', 'version', '--short')}`;
      },
    );
  } finally {
    delete process.env['DOCKER_CONFIG'];
    rmSync(plugins, { recursive: true });
  }
}
