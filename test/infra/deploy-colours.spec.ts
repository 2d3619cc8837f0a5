import { beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { StubbedServer } from '../harness/stubbed-server.js';

let inService: StubbedServer;
let server: StubbedServer;

/** Two deploys, as after a while in service: green serves, and blue is warm. */
beforeAll(() => {
  inService = new StubbedServer(inject('services').scratch);
  for (const image of ['first', 'second']) {
    const { status, text } = inService.run('deploy', '--image', image);
    expect(status, text).toBe(0);
  }
  expect([inService.active, inService.spare]).toEqual(['green', true]);
  inService.forgetGaps();
});

beforeEach(() => {
  server = inService.copy();
});

function nobodyWaited(): void {
  expect(server.gaps).toEqual({ unanswered: [], unworked: [] });
}

describe('a deploy while the colour that serves is down, and the warm one takes its calls', () => {
  test.each(['unhealthy', 'stopped'] as const)('makes anew the one that is %s', (health) => {
    server.becomes('api-green', health);
    server.becomes('worker-green', 'healthy');
    const { status, text } = server.run('deploy', '--image', 'third');
    expect(status, text).toBe(0);
    expect(text).toContain('green is down; blue takes its calls');
    expect([server.active, server.spare, server.health('api-blue')]).toEqual(['green', true, 'healthy']);
    nobodyWaited();
    expect(server.run('rollback').status).toBe(0);
    expect(server.active).toBe('blue');
    nobodyWaited();
  });

  test('leaves it serving where the new version is no good', () => {
    server.becomes('api-green', 'unhealthy');
    server.neverHealthy('api-green');
    const { status, text } = server.run('deploy', '--image', 'third');
    expect([status, server.active, server.health('api-blue')], text).toEqual([1, 'blue', 'healthy']);
    nobodyWaited();
  });

  test('is the remedy where the warm one is down as well', () => {
    server.becomes('api-green', 'unhealthy');
    server.becomes('api-blue', 'unhealthy');
    expect(server.run('deploy', '--image', 'third').status).toBe(0);
    expect([server.active, server.health('api-blue')]).toEqual(['blue', 'healthy']);
  });
});

describe('a worker that never gets healthy', () => {
  test('costs the new version the switch, and its predecessor works on', () => {
    server.neverHealthy('worker-blue');
    const { status, text } = server.run('deploy', '--image', 'third');
    expect([status, server.active], text).toEqual([1, 'green']);
    expect(text).toContain('blue: its worker does not get healthy. green serves as before.');
    expect([server.health('worker-blue'), server.health('worker-green')]).toEqual(['stopped', 'healthy']);
    nobodyWaited();
  });

  test('of a version that was gone back to leaves the work to the other, also during the next deploy', () => {
    server.neverHealthy('worker-blue');
    const back = server.run('rollback');
    expect([back.status, server.active], back.text).toEqual([4, 'blue']);
    expect(back.text).toContain('blue serves again, but worker-blue is not healthy; worker-green goes on');
    server.forgetGaps();
    server.neverHealthy('api-green');
    expect(server.run('deploy', '--image', 'third').status).toBe(1);
    expect(server.gaps.unworked.filter((call) => call.includes('is made anew'))).toEqual([]);
  });

  test('in the time in which the new version is watched costs it the traffic', () => {
    server.set('WATCH_SECONDS=2');
    server.becomesAt('logs --tail', 'worker-blue', 'stopped');
    const { status, text } = server.run('deploy', '--image', 'third');
    expect([status, server.active], text).toEqual([1, 'green']);
    expect(text).toContain('worker-blue is stopped, or its process ended');
    nobodyWaited();
  });
});

test('what fails after the switch ends with 4, for programs too', () => {
  server.set('BACKUP_TARGET=/backups');
  server.failsAt('up -d --no-deps --force-recreate backup');
  const { status, stdout, text } = server.run('deploy', '--image', 'third', '--json');
  expect([status, server.active], text).toEqual([4, 'blue']);
  expect(JSON.parse(stdout)).toMatchObject({ result: 'incomplete', exitCode: 4, colour: 'blue' });
});

describe('the way back', () => {
  test('outlives a migration that failed for another reason than the running version', () => {
    server.migrated('28 1763900000028');
    server.ends('migrate', 1);
    const { status, text } = server.run('deploy', '--image', 'third');
    expect([status, server.spare], text).toEqual([1, true]);
    expect(server.run('rollback').status).toBe(0);
  });

  test('is closed where nobody can say whether the migration was applied', () => {
    server.migrated('');
    server.ends('migrate', 137);
    expect(server.run('deploy', '--image', 'third').status).toBe(1);
    expect(server.spare).toBe(false);
    expect(server.run('rollback').text).toContain('there is no way back');
  });

  test('is there for a deploy that was killed right after its switch', () => {
    // Only then is nginx asked.
    server.killAt('exec nginx bash');
    expect(server.run('deploy', '--image', 'third').status).toBe(null);
    expect(server.active).toBe('blue');
    expect(server.run('rollback').status).toBe(0);
    expect(server.active).toBe('green');
    nobodyWaited();
  });

  test('is there for a rollback that was killed right after its switch', () => {
    server.killAt('exec nginx bash');
    expect(server.run('rollback').status).toBe(null);
    expect(server.active).toBe('blue');
    expect(server.run('rollback').status).toBe(0);
    expect(server.active).toBe('green');
  });

  test('leads to nothing that never served', () => {
    server.killAt('velum smoke');
    expect(server.run('deploy', '--image', 'third').status).toBe(null);
    expect(server.run('rollback').text).toContain('blue has not served before green: there is no way back');
  });
});
