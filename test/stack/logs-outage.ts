import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { Collected, keptByDocker, until } from './collected.js';
import { docker } from './engine.js';
import { IMAGE, type Installation } from './installation.js';
import { Load } from './load.js';
import type { Story } from './story.js';

const OUTAGE_MS = 12_000;
/** The engine's waits between two attempts grow to a minute. */
const RESUMES_MS = 90_000;

/** What the loss of Fluentd or Elasticsearch costs. */
export async function checkLogsOutage(
  table: Table,
  server: Installation,
  client: StackClient,
  { gallery, face, verifyPath }: Story,
): Promise<void> {
  const collected = new Collected(server.folder);
  const verified = (): number =>
    Number(server.query("SELECT count(*) FROM audit_event WHERE type = 'subject.verified'"));
  const healthy = (service: string): boolean =>
    docker('inspect', '-f', '{{.State.Health.Status}}', server.container(service)) === 'healthy';

  await table.check('kill -9 of Fluentd under load: no request fails, nothing is lost', async () => {
    const before = verified();
    const verify = { path: verifyPath, body: JSON.stringify({ embedding: face }) };
    const load = new Load(client, verify, `/v1/galleries/${gallery}/jobs?type=identify`);
    await setTimeout(3_000);
    const since = new Date().toISOString();
    const fluentd = server.container('fluentd');
    docker('kill', fluentd);
    await setTimeout(OUTAGE_MS);
    const during = load.calls.length;
    docker('start', fluentd);
    await setTimeout(3_000);
    await load.stop();
    const { calls, failures } = load;
    expect(failures.length === 0, `${failures.length} of ${calls.length} failed: ${failures[0]}`);
    expect(during > 50, `only ${during} calls were answered`);
    const acknowledged = calls.filter(({ slow }) => !slow).length;
    const recorded = verified() - before;
    expect(recorded === acknowledged, `of ${acknowledged} acknowledged ${recorded} are in the audit log`);
    const { active } = await server.status();
    const written = ['nginx', `api-${active}`].flatMap((service) =>
      keptByDocker(server.container(service), since),
    );
    const missing = (): number => {
      const arrived = new Set(collected.lines());
      return written.filter((line) => !arrived.has(line)).length;
    };
    await until('the lines of the outage', RESUMES_MS, () => missing() === 0).catch(() => undefined);
    expect(missing() === 0, `${missing()} of ${written.length} lines were lost`);
    return `0 of ${calls.length} failed in ${OUTAGE_MS / 1_000} s without Fluentd; ${recorded} of ${acknowledged} verifications in the audit log; 0 of ${written.length} lines lost`;
  });

  await table.check('containers stop and start while Fluentd is down', async () => {
    docker('stop', server.container('fluentd'));
    const { active } = await server.status();
    const seconds: string[] = [];
    for (const service of [active === 'blue' ? 'api-green' : 'api-blue', `worker-${active}`, 'redis']) {
      const begun = Date.now();
      docker('restart', '-t', '60', server.container(service));
      await until(service, 120_000, () => healthy(service));
      seconds.push(`${service} ${Math.round((Date.now() - begun) / 1_000)} s`);
    }
    return `healthy again after: ${seconds.join(', ')}`;
  });

  await table.check('a deploy goes through while Elasticsearch cannot start', async () => {
    const key = join(server.folder, 'ssl/elasticsearch/server.key');
    docker('rm', '-f', server.container('elasticsearch'));
    chmodSync(key, 0o400);
    const text = await server.succeed('deploy', '--image', IMAGE);
    chmodSync(key, 0o440);
    expect(text.includes('WARNING: logs are not to be seen in Kibana'), text);
    await server.succeed('deploy', '--image', IMAGE);
    expect(healthy('elasticsearch') && healthy('fluentd'), 'the next one does not mend it');
    return 'exit code 0 and a warning; the next one mends it';
  });

  await table.check('logging is switched off, and lines stay with Docker', async () => {
    server.set({ LOGGING: 'local' });
    await server.succeed('deploy', '--image', IMAGE);
    const running = ['fluentd', 'elasticsearch', 'kibana'].filter((name) => server.container(name) !== '');
    expect(running.length === 0, `still running: ${running.join()}`);
    const { active } = await server.status();
    const driver = docker(
      'inspect',
      '-f',
      '{{.HostConfig.LogConfig.Type}}',
      server.container(`api-${active}`),
    );
    expect(driver === 'json-file', `the new API logs to ${driver}`);
    return 'the three are stopped; the new API logs to Docker alone';
  });
}
