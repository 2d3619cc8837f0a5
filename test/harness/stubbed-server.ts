import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const FILES = ['deploy.sh', 'docker-compose.prod.yml', 'docker-compose.logging.yml', 'infra'];

const SETTINGS = `COMPOSE_PROJECT_NAME=velum
WATCH_SECONDS=0
LOGGING=local
`;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly text: string;
}

export type Health = 'healthy' | 'unhealthy' | 'starting' | 'stopped';

/** deploy.sh in a folder of its own, over an engine that only remembers (engine/docker). */
export class StubbedServer {
  readonly folder: string;
  private readonly engine: string;
  private readonly parent: string;

  /** `like`: another, of which it is a copy. */
  constructor(parent: string, like?: StubbedServer) {
    const own = mkdtempSync(join(parent, 'server-'));
    this.parent = parent;
    this.folder = join(own, 'server');
    this.engine = join(own, 'engine');
    if (like === undefined) this.prepare();
    else cpSync(dirname(like.folder), own, { recursive: true });
  }

  copy(): StubbedServer {
    return new StubbedServer(this.parent, this);
  }

  private prepare(): void {
    for (const file of FILES) cpSync(file, join(this.folder, file), { recursive: true });
    for (const folder of ['services', 'ends']) mkdirSync(join(this.engine, folder), { recursive: true });
    for (const file of ['bad', 'unanswered', 'unworked', 'calls', 'migrated']) this.tell(file, '');
    writeFileSync(join(this.folder, '.env.production'), SETTINGS);
    // Secrets and certificates are another test's.
    writeFileSync(join(this.folder, 'infra/deploy/preflight.sh'), "preflight() { step 'preflight'; }\n");
    // Nobody looks here.
    const authority = join(this.folder, 'infra/deploy/rotate-authority.sh');
    writeFileSync(authority, readFileSync(authority, 'utf8').replace(/^(LOOKED_AT_SECONDS)=.*/m, '$1=0'));
    for (const name of ['db_owner', 'db', 'db_worker', 'db_custodian', 'db_backup']) {
      mkdirSync(join(this.folder, 'secrets'), { recursive: true });
      writeFileSync(join(this.folder, `secrets/${name}_password.txt`), 'x\n');
    }
  }

  run(...args: string[]): Ended {
    // `exec`, so that the number of the process is the one that is killed.
    const script = 'echo $$ >"$ENGINE/deploy.pid"; exec ./deploy.sh "$@"';
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'deploy', ...args], {
      cwd: this.folder,
      encoding: 'utf8',
      env: {
        ...process.env,
        ENGINE: this.engine,
        PATH: `${resolve('test/harness/engine')}:${process.env['PATH']}`,
      },
    });
    return { status, stdout, text: stdout + stderr };
  }

  set(line: string): void {
    writeFileSync(join(this.folder, '.env.production'), `${SETTINGS}${line}\n`);
  }

  /** As a new server, which has the release's folder and nothing else. */
  forgetInstallation(): void {
    for (const name of ['.env.production', 'secrets', 'state'])
      rmSync(join(this.folder, name), { recursive: true, force: true });
  }

  get active(): string {
    return existsSync(join(this.folder, 'state/active/green')) ? 'green' : 'blue';
  }

  get spare(): boolean {
    return existsSync(join(this.folder, 'state/active/spare'));
  }

  /** Undefined: there is no container. */
  health(service: string): string | undefined {
    const path = join(this.engine, 'services', service);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  }

  becomes(service: string, health: Health): void {
    this.tell(join('services', service), `${health}\n`);
  }

  /** From now on they come up and never get healthy. */
  neverHealthy(...services: string[]): void {
    this.tell('bad', services.map((service) => `${service}\n`).join(''));
  }

  /** How a one-shot ends; undefined: well. */
  ends(service: string, code: number | undefined): void {
    const name = join('ends', service);
    if (code === undefined) rmSync(join(this.engine, name), { force: true });
    else this.tell(name, String(code));
  }

  /** With the next call of docker that says this. */
  becomesAt(call: string, service: string, health: Health): void {
    this.tell('when', `${call}|${service}|${health}\n`);
  }

  /** Calls of docker that say this fail. */
  failsAt(call: string): void {
    this.tell('fail', call);
  }

  /** The next call of docker that says this kills deploy.sh, or one after it. */
  killAt(call: string, time = 1): void {
    this.tell('kill', `${time}|${call}\n`);
  }

  migrated(what: string): void {
    this.tell('migrated', `${what}\n`);
  }

  /** Of the whole machine, in bytes. */
  hasMemory(bytes: number): void {
    this.tell('memory', String(bytes));
  }

  /** As `compose config` prints the files. */
  composed(config: string): void {
    this.tell('config', config);
  }

  /** Of calls of docker: those at which nobody would have been answered, and those at which nobody worked. */
  get gaps(): { readonly unanswered: string[]; readonly unworked: string[] } {
    const lines = (file: string): string[] =>
      readFileSync(join(this.engine, file), 'utf8').split('\n').filter(Boolean);
    return { unanswered: lines('unanswered'), unworked: lines('unworked') };
  }

  forgetGaps(): void {
    for (const file of ['unanswered', 'unworked']) this.tell(file, '');
  }

  get calls(): string {
    return readFileSync(join(this.engine, 'calls'), 'utf8');
  }

  private tell(file: string, text: string): void {
    writeFileSync(join(this.engine, file), text);
  }
}
