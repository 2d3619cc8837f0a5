import { readFileSync } from 'node:fs';
import { dump, load } from 'js-yaml';
import { beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { StubbedServer } from '../harness/stubbed-server.js';
import type { Json } from '../harness/test-client.js';

/** What Linux tells of a machine of 16 GB at the least: `init` takes it for one (logging.sh). */
const MACHINE = 15_000_000 * 1024;

const FILES = ['docker-compose.prod.yml', 'docker-compose.logging.yml'];

let inService: StubbedServer;
let server: StubbedServer;

beforeAll(() => {
  inService = new StubbedServer(inject('services').scratch);
  const { status, text } = inService.run('deploy', '--image', 'first');
  expect(status, text).toBe(0);
});

beforeEach(() => {
  server = inService.copy();
  server.hasMemory(MACHINE);
  server.set('BACKUP_TARGET=/backups');
  server.composed(composed({}));
});

/** Both files with their defaults, or with these settings instead. */
function composed(settings: Readonly<Record<string, string>>, names = FILES): string {
  const files = names.map((name) =>
    readFileSync(name, 'utf8').replaceAll(
      /\$\{(\w+):[-?]([^}]*)\}/g,
      (_, key: string, value: string) => settings[key] ?? value,
    ),
  );
  const services: Json = {};
  for (const file of files) {
    const all: Json = load(file);
    for (const [name, service] of Object.entries<Json>(all.services))
      services[name] = { ...services[name], ...service };
  }
  return dump({ networks: {}, services, version: '3.9' }, { noRefs: true });
}

test('one of each fits a machine of 16 GB by default, with its backups and with logs in Elasticsearch', () => {
  const { status, text } = server.run('scale', 'api=1', 'worker=1', 'custodian=1');
  expect(status, text).toBe(0);
});

test('more is refused there, and nothing is started', () => {
  const { status, text } = server.run('scale', 'api=2', 'worker=4');
  expect([status, server.health('api-blue-2')], text).toEqual([1, undefined]);
  expect(text).toContain('MB may be needed for twice 2 api and 1 custodian, 4 worker');
});

test('two APIs and four workers fit it with the settings that the guide names', () => {
  server.composed(composed({ API_MEMORY: '1g', WORKER_MEMORY: '1g' }, FILES.slice(0, 1)));
  const { status, text } = server.run('scale', 'api=2', 'worker=4');
  expect(status, text).toBe(0);
  expect(server.health('api-blue-2')).toBe('healthy');
});

test('every container counts: what one alone may take more than there is refuses all', () => {
  for (const name of ['NGINX_MEMORY', 'BACKUP_MEMORY', 'KIBANA_MEMORY', 'REDIS_MEMORY']) {
    server.composed(composed({ [name]: '4g' }));
    expect(server.run('scale', 'api=1').status, name).toBe(1);
  }
});
