import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, inject, test } from 'vitest';
import { type Ended, StubbedServer } from '../harness/stubbed-server.js';

let server: StubbedServer;

const at = (name: string): string => join(server.folder, name);
const open = (...options: string[]): Ended =>
  server.run('open-secrets', 'secrets.age', '--identity', 'secrets.key', ...options);
const left = (): string[] => readdirSync(at('secrets')).filter((name) => name.startsWith('opened.'));

// Secrets belong to root.
describe.runIf(process.getuid?.() === 0)('open-secrets on a server that has the release alone', () => {
  beforeEach(() => {
    server = new StubbedServer(inject('services').scratch);
    server.forgetInstallation();
    for (const name of ['secrets.age', 'secrets.key']) writeFileSync(at(name), 'x');
  });

  test('builds what it needs, as the guide has it, and puts them back', () => {
    const { status, text } = open();
    expect(status, text).toBe(0);
    expect(readFileSync(at('secrets/secret_key.txt'), 'utf8')).toBe('opened\n');
    expect(server.calls).toMatch(/^build .*--label velum.project=velum/m);
    expect(left()).toEqual([]);
  });

  test('tells programs how it ended', () => {
    const { status, stdout } = open('--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ command: 'open-secrets', result: 'done', exitCode: 0 });
    expect(left()).toEqual([]);
  });

  test('tells programs why it failed, and leaves nothing', () => {
    server.ends('run', 2);
    const { status, stdout } = open('--json');
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ result: 'failed', failure: 'nothing was put back' });
    expect([left(), existsSync(at('secrets/secret_key.txt'))]).toEqual([[], false]);
  });

  test('puts nothing over what is there', () => {
    expect(open().status).toBe(0);
    expect(open().text).toContain('secrets/secret_key.txt exists: move it away first');
    expect(left()).toEqual([]);
  });
});
