import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

const START_MS = 20_000;

/** Ports of their own for stacks that run side by side. */
const [ACME, MANAGEMENT, DNS, DNS_MANAGEMENT] = [14_000, 15_000, 16_000, 17_000] as const;

const SELF_SIGNED = [
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost',
  '-addext subjectAltName=DNS:localhost',
].flatMap((words) => words.split(' '));

/** Let's Encrypt's own test server, which fetches the challenge from nginx, and a resolver to whom all is this machine. */
export class AcmeServer {
  private constructor(
    readonly url: string,
    /** The file of its own certificate, which certbot must trust. */
    readonly certificate: string,
    private readonly number: number,
    private readonly children: readonly ChildProcess[],
  ) {}

  static async start(folder: string, number: number, challengePort: number): Promise<AcmeServer> {
    mkdirSync(folder, { recursive: true });
    const [certificate, key] = [join(folder, 'server.crt'), join(folder, 'server.key')];
    openssl(...SELF_SIGNED, '-keyout', key, '-out', certificate);
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${ACME + number}`,
        managementListenAddress: `127.0.0.1:${MANAGEMENT + number}`,
        certificate,
        privateKey: key,
        httpPort: challengePort,
        tlsPort: 1,
      },
    };
    writeFileSync(join(folder, 'pebble.json'), JSON.stringify(config));
    const log = openSync(join(folder, 'log'), 'a');
    const begin = (command: string, args: readonly string[]): ChildProcess =>
      spawn(command, args, {
        stdio: ['ignore', log, log],
        env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' },
      });
    const dns = `127.0.0.1:${DNS + number}`;
    const unused = ['-http01=', '-https01=', '-tlsalpn01=', '-defaultIPv6='];
    const children = [
      begin('pebble-challtestsrv', [
        '-dns01',
        dns,
        '-management',
        `127.0.0.1:${DNS_MANAGEMENT + number}`,
        ...unused,
      ]),
      begin('pebble', ['-config', join(folder, 'pebble.json'), '-dnsserver', dns]),
    ];
    const server = new AcmeServer(`https://localhost:${ACME + number}/dir`, certificate, number, children);
    const deadline = Date.now() + START_MS;
    while ((await server.get(server.url)) === undefined) {
      if (Date.now() > deadline) throw new Error(`pebble does not answer; ${folder}/log says why`);
      await setTimeout(100);
    }
    return server;
  }

  stop(): void {
    for (const child of this.children) child.kill();
  }

  /** The certificate of the authority that it is, made anew with each start. */
  async root(): Promise<string> {
    const root = await this.get(`https://localhost:${MANAGEMENT + this.number}/roots/0`);
    if (root === undefined) throw new Error('pebble tells no root');
    return root;
  }

  private get(url: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const sent = request(url, { ca: readFileSync(this.certificate) }, (response) => {
        text(response).then(
          (body) => resolve(response.statusCode === 200 ? body : undefined),
          () => resolve(undefined),
        );
      });
      sent.once('error', () => resolve(undefined));
      sent.end();
    });
  }
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
