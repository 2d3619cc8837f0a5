import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { Collected, until } from './collected.js';
import { docker } from './engine.js';
import { IMAGE, type Installation } from './installation.js';
import { checkContainers } from './hardening.js';
import { checkLogsOutage } from './logs-outage.js';
import { expectNothingPrivate, photographOfNobody } from './private-words.js';
import { sendPhotograph, type Story } from './story.js';

const ARRIVES_MS = 30_000;
const STREAMS = ['facial-api-app', 'facial-api-nginx', 'facial-api-security'];
const SERVERS = [
  ['fluentd', 24_224],
  ['elasticsearch', 9200],
  ['kibana', 5601],
] as const;

/** Lines of all services through Docker's real driver; Fluentd, Elasticsearch and Kibana are stand-ins. */
export async function checkLogs(
  table: Table,
  server: Installation,
  client: StackClient,
  story: Story,
): Promise<void> {
  const collected = new Collected(server.folder);

  await table.check('logging is switched on in an installation that runs', async () => {
    server.set({ LOGGING: 'elastic' });
    const before = server.container('postgres');
    const text = await server.succeed('deploy', '--image', IMAGE);
    expect(text.includes('Kibana: https://localhost'), text);
    expect(server.container('postgres') === before, 'PostgreSQL was made anew in the middle of a deploy');
    // As docs/logs.md says, since those are never made anew by themselves.
    for (const service of ['nginx', 'redis', 'postgres']) {
      const id = server.container(service);
      docker('stop', '-t', '60', id);
      docker('rm', id);
    }
    await server.succeed('deploy', '--image', IMAGE);
    const { services } = await server.status();
    for (const [name] of SERVERS) {
      expect(services[name]?.health === 'healthy', `${name} is ${services[name]?.health}`);
    }
    return 'Fluentd, Elasticsearch and Kibana are healthy; the deploy did not touch PostgreSQL';
  });

  await table.check('Elasticsearch and Kibana are set up, and setting up again changes nothing', async () => {
    const state = JSON.parse(server.probe('logging', askScript('https://elasticsearch:9200/_stand_in')));
    const made = Object.keys(state.streams).join();
    expect(
      STREAMS.every((name) => name in state.streams),
      made,
    );
    expect(state.users.join() === 'fluentd,operator' && state.system, 'users are missing');
    const objects: string[] = JSON.parse(server.probe('logging', askScript('https://kibana:5601/stand_in')));
    const dashboards = objects.filter((key) => key.startsWith('dashboard/'));
    expect(dashboards.length === STREAMS.length, objects.join());
    return `${made}; ${objects.length} saved objects, of them ${dashboards.length} dashboards`;
  });

  await table.check('only this machine reaches Fluentd and Kibana, and nobody Elasticsearch', async () => {
    const mine = `label=com.docker.compose.project=${server.project}`;
    const ports = docker('ps', '--filter', mine, '--format', '{{.Ports}}');
    const published = [...ports.matchAll(/([\d.]+|\[::\]):\d+->(24224|5601|9200)\/tcp/g)]
      .map(([, address, port]) => `${address} ${port}`)
      .join();
    expect(/^127\.0\.0\.1 \d+,127\.0\.0\.1 \d+$/.test(published), published);
    const targets = SERVERS.flatMap(([name, port]) => {
      const networks = docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', server.container(name));
      const addresses = Object.values<{ IPAddress: string }>(JSON.parse(networks));
      return [name, ...addresses.map(({ IPAddress }) => IPAddress)].map((host) => ({ host, port }));
    });
    for (const network of ['frontend', 'backend', 'outward']) {
      const reached = server.probe(network, reachScript(targets));
      expect(reached === '', `from ${network}: ${reached}`);
    }
    const control = server.probe('logging', reachScript([{ host: 'elasticsearch', port: 9200 }]));
    expect(control !== '', 'the probe itself is blind');
    const refused = server.probe('logging', askScript('https://elasticsearch:9200/_stand_in', 'wrong'));
    expect(refused === '401', refused);
    return `published: ${published}; not reached from 3 other networks; a wrong password gets 401`;
  });

  await table.check('the passwords of the logs are replaced', async () => {
    const names = ['elastic', 'kibana', 'kibana_operator', 'fluentd'];
    const passwords = (): string[] =>
      names.map((name) => readFileSync(join(server.folder, `secrets/${name}_password.txt`), 'utf8').trim());
    const old = passwords();
    await server.succeed('rotate', 'log-passwords');
    const now = passwords();
    expect(
      now.every((password, i) => password !== old[i] && /^\w+$/.test(password)),
      'a password is as before',
    );
    const url = 'https://elasticsearch:9200/_security/_authenticate';
    expect(server.probe('logging', askScript(url, old[0])) === '401', 'the old one is taken');
    const { username } = JSON.parse(server.probe('logging', askScript(url)));
    expect(username === 'elastic', 'the new one is not taken');
    // Kibana is available once Elasticsearch lets it in.
    await eventually('all three are healthy', async () => {
      const { services } = await server.status();
      return SERVERS.every(([name]) => services[name]?.health === 'healthy');
    });
    return `${names.join(', ')}; the old one of elastic gets 401`;
  });

  await table.check('lines of all services arrive, each in its stream', async () => {
    const probe = JSON.stringify({ embedding: story.face });
    const good = await client.send('POST', story.verifyPath, probe);
    const bad = await client.send('GET', '/v1/galleries', undefined, { authorization: 'Bearer rubbish' });
    expect(good.status === 200 && bad.status === 401, `answered ${good.status} and ${bad.status}`);
    server.probe('backend', STRANGER_SCRIPT);
    const [answered = '', refused = ''] = [good, bad].map(({ headers }) => String(headers['x-request-id']));
    const wanted: Readonly<Record<string, readonly [string, ...string[]]>> = {
      'the answer, of the API': ['facial-api-app', '"message":"answered"', answered],
      'the answer, of nginx': ['facial-api-nginx', '"service":"nginx"', answered],
      'the refusal, of the API': ['facial-api-security', '"code":"unauthenticated"', '"ipHash"', refused],
      'the refusal, of nginx': ['facial-api-security', '"service":"nginx"', '"status":401', refused],
      'the refusal, among the requests': ['facial-api-nginx', '"status":401', refused],
      'the stranger, of PostgreSQL': ['facial-api-security', '"service":"postgres"', '"sqlstate":"28000"'],
      PostgreSQL: ['facial-api-app', '"service":"postgres"', '"severity":"LOG"'],
      Redis: ['facial-api-app', '"service":"redis"', '"message"'],
      'the worker': ['facial-api-app', '"service":"worker-', '"message"'],
    };
    for (const [what, [stream, ...texts]] of Object.entries(wanted)) {
      await until(what, ARRIVES_MS, () => collected.has(stream, ...texts));
    }
    expect(!collected.has('facial-api-security', answered), 'an answer is among the security lines');
    expect(!collected.has('facial-api-app', '"context":"security"'), 'a refusal is not');
    const streams = Object.entries(collected.streams());
    // What is not a service's own log: initdb's words, and what a library prints by itself.
    const unparsed = streams.flatMap(([, lines]) => lines).filter((line) => line.includes('"log":'));
    return `${streams.map(([name, lines]) => `${name} ${lines.length}`).join(', ')}; ${unparsed.length} not parsed`;
  });

  await table.check('no address, secret, photograph or embedding is in what was collected', async () => {
    const photograph = await photographOfNobody();
    await sendPhotograph(client, photograph);
    const text = collected.lines().join('\n');
    expectNothingPrivate(server, text, photograph);
    return `${text.split('\n').length} lines looked through`;
  });

  await table.check('deploy.sh logs shows the lines of a service, though they go to Fluentd', async () => {
    const text = await server.succeed('logs', 'nginx', 'api', '--since', '10m');
    const lines = text.split('\n');
    const of = (service: RegExp): number => lines.filter((line) => service.test(line)).length;
    const [nginx, api] = [of(/^nginx {2}\{/), of(/^api-(blue|green) {2}\{/)];
    expect(nginx > 0 && api > 0, text.slice(0, 500));
    const { status } = await server.run(['logs', 'nonsense']);
    expect(status === 1, `an unknown service: ${status}`);
    return `${nginx} lines of nginx, ${api} of the API`;
  });

  await checkContainers(table, server, 'with logging');
  await checkLogsOutage(table, server, client, story);
}

const askScript = (url: string, password?: string): string => `
  import { readFileSync } from 'node:fs';
  import { request } from 'node:https';
  import { text } from 'node:stream/consumers';
  const password = ${password === undefined ? "readFileSync('/secrets/elastic_password.txt', 'utf8').trim()" : `'${password}'`};
  const options = { ca: readFileSync('/tls/ca.crt'), auth: 'elastic:' + password };
  request('${url}', options, async (answer) => {
    const body = await text(answer);
    console.log(answer.statusCode === 200 ? body : answer.statusCode);
  }).end();`;

const reachScript = (targets: readonly { host: string; port: number }[]): string => `
  import { connect } from 'node:net';
  for (const { host, port } of ${JSON.stringify(targets)}) await new Promise((next) => {
    const socket = connect({ host, port, timeout: 1000 });
    socket.on('connect', () => { console.log(host); socket.destroy(); });
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', next);
  });`;

/** Somebody on the backend network without a certificate. */
const STRANGER_SCRIPT = `
  import pg from 'pg';
  const client = new pg.Client({ host: 'postgres', user: 'velum_app', database: 'velum', password: 'x' });
  client.on('error', () => undefined);
  await client.connect().catch(() => undefined);
  process.exit(0);`;
