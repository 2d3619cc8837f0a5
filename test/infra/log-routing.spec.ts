import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LOGGED_MEMBERS } from '#platform/redaction';
import { only, readConfiguration, required } from '../harness/fluentd/configuration.js';
import { type FluentRecord, Routing } from '../harness/fluentd/routing.js';

const PATH = 'infra/fluentd/fluent.conf';
const routing = new Routing(PATH);

/** As Docker's driver sends it. */
const line = (log: string): FluentRecord => ({
  container_id: 'b5f0c1',
  container_name: '/velum_some-service_1',
  source: 'stdout',
  log,
});
const json = (members: object): FluentRecord => line(JSON.stringify(members));
const indices = (tag: string, record: FluentRecord): string[] =>
  routing
    .deliver(tag, record)
    .filter(({ type }) => type === 'elasticsearch')
    .map(({ target }) => target)
    .sort();
const document = (tag: string, record: FluentRecord): FluentRecord | undefined =>
  routing.deliver(tag, record).find(({ type }) => type === 'elasticsearch')?.record;

const ANSWERED = {
  timestamp: '2026-11-24T10:00:00.000Z',
  level: 'info',
  message: 'answered',
  context: 'http',
  requestId: 'f3a0d2b1c4e5f607',
  status: 200,
  durationMs: 12,
};
const REFUSED = {
  ...ANSWERED,
  message: 'refused',
  context: 'security',
  status: 401,
  code: 'unauthenticated',
};
const nginx = (status: number): FluentRecord =>
  json({
    timestamp: '2026-11-24T10:00:00+00:00',
    context: 'nginx',
    requestId: 'a',
    method: 'GET',
    status,
    bytes: 9,
  });

describe('the routing of log lines', () => {
  test('parts what the apps say, and refusals are a stream of their own', () => {
    for (const service of ['api-blue', 'api-green', 'worker-blue', 'custodian-blue']) {
      expect(indices(`velum.app.${service}`, json(ANSWERED))).toEqual(['facial-api-app']);
      expect(indices(`velum.app.${service}`, json(REFUSED))).toEqual(['facial-api-security']);
    }
  });

  test('keeps every request in the stream of nginx, and has refusals among the security lines too', () => {
    const refusals = [400, 401, 403, 413, 429, 494, 495, 496, 497];
    for (const status of [...refusals, 200, 201, 301, 404, 422, 499, 500, 503]) {
      const also = refusals.includes(status) ? ['facial-api-security'] : [];
      expect([status, ...indices('velum.server.nginx', nginx(status))]).toEqual([
        status,
        'facial-api-nginx',
        ...also,
      ]);
    }
  });

  test('has whoever PostgreSQL did not let in among the security lines, and the rest with the apps', () => {
    const refused = line(
      '2026-11-24 10:00:00.123 UTC [41] velum_app 28P01 FATAL:  password authentication failed for user "velum_app"',
    );
    expect(indices('velum.server.postgres', refused)).toEqual(['facial-api-security']);
    expect(document('velum.server.postgres', refused)).toMatchObject({
      role: 'velum_app',
      sqlstate: '28P01',
      severity: 'FATAL',
      message: 'password authentication failed for user "velum_app"',
    });
    const told = line(
      '2026-11-24 10:00:00.123 UTC [1]  00000 LOG:  database system is ready to accept connections',
    );
    expect(indices('velum.server.postgres', told)).toEqual(['facial-api-app']);
    expect(
      indices('velum.server.redis', line('1:M 24 Nov 2026 10:00:00.123 * Ready to accept connections tls')),
    ).toEqual(['facial-api-app']);
  });

  test('tells the service and the container, keeps the line as fields, and keeps what cannot be parsed', () => {
    const { timestamp: _, ...members } = ANSWERED;
    const from = { service: 'api-blue', container: '/velum_some-service_1' };
    expect(document('velum.app.api-blue', json(ANSWERED))).toEqual({ ...members, ...from });
    expect(document('velum.app.api-blue', line('Killed'))).toEqual({ log: 'Killed', ...from });
    expect(
      document('velum.server.redis', line('1:M 24 Nov 2026 10:00:00.123 # Out of memory')),
    ).toMatchObject({
      message: 'Out of memory',
      service: 'redis',
    });
  });

  test('passes no member on that the apps may not log, nor whatever others send to the port', () => {
    const record = document(
      'velum.app.api-blue',
      json({ ...ANSWERED, embedding: '0.1, 0.2', password: 'x' }),
    );
    expect(Object.keys(record ?? {})).not.toEqual(expect.arrayContaining(['embedding']));
    expect(Object.keys(record ?? {})).not.toEqual(expect.arrayContaining(['password']));
    for (const tag of ['docker.other', 'velum.stranger', 'velum.server.postgres.more', 'facial-api-app']) {
      expect([tag, ...indices(tag, json(REFUSED))]).toEqual([tag]);
    }
  });

  test('knows every member that the apps log, and Elasticsearch has a field for each', () => {
    const every = Object.fromEntries(LOGGED_MEMBERS.map((member) => [member, 1]));
    const kept = Object.keys(document('velum.app.api-blue', json({ ...every, context: 'http' })) ?? {});
    expect([...kept, 'timestamp']).toEqual(expect.arrayContaining([...LOGGED_MEMBERS]));
    for (const [stream, tag, record] of [
      ['app', 'velum.app.api-blue', json({ ...every, context: 'http' })],
      ['security', 'velum.app.api-blue', json({ ...every, context: 'security' })],
      ['nginx', 'velum.server.nginx', nginx(200)],
    ] as const) {
      const template = JSON.parse(
        readFileSync(`infra/elasticsearch/templates/facial-api-${stream}.json`, 'utf8'),
      );
      const fields = Object.keys(template.template.mappings.properties);
      expect(fields).toEqual(expect.arrayContaining(Object.keys(document(tag, record) ?? {})));
    }
  });

  test('writes each line to the archive as well', () => {
    const files = routing.deliver('velum.server.nginx', nginx(429)).filter(({ type }) => type === 'file');
    expect(files.map(({ target }) => target).sort()).toEqual([
      '/fluentd/archive/facial-api-nginx',
      '/fluentd/archive/facial-api-security',
    ]);
  });

  test('loses nothing while Elasticsearch is away: buffers on disk, limited, and tries without end', () => {
    const outputs = readConfiguration(PATH)
      .sections.filter(({ name }) => name === 'label')
      .flatMap(({ sections }) => sections.filter(({ name }) => name === 'match'))
      .flatMap(({ sections }) =>
        sections.filter((store) => store.sections.some(({ name }) => name === 'buffer')),
      );
    expect(outputs.map((store) => required(store, '@id')).sort()).toEqual([
      'archive-app',
      'archive-nginx',
      'archive-security',
      'elastic-app',
      'elastic-nginx',
      'elastic-security',
    ]);
    for (const store of outputs) {
      const { parameters } = only(store, 'buffer');
      expect(Object.fromEntries(parameters)).toMatchObject({
        '@type': 'file',
        path: `/fluentd/buffer/${required(store, '@id')}`,
        retry_forever: 'true',
        overflow_action: 'drop_oldest_chunk',
        total_limit_size: expect.stringMatching(/^\d+g$/),
      });
      // One that cannot write must not keep the other from writing.
      expect(store.argument).toBe('ignore_error');
    }
  });
});
