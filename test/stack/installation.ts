import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { docker } from './engine.js';

/** What a server has besides what deploy.sh makes; the last are what an image is built of. */
const FILES = [
  'deploy.sh',
  'docker-compose.prod.yml',
  'docker-compose.logging.yml',
  'docker-compose.kms.yml',
  'infra',
  'Dockerfile',
  '.dockerignore',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'libs',
  'apps',
];

/** STACK_NUMBER, 0 to 9: several run side by side on one engine, each from a checkout of its own. */
export const NUMBER = Number(process.env['STACK_NUMBER'] ?? 0);

const PROJECT = `velumtest${NUMBER}`;
const HTTP_PORT = 18_080 + NUMBER;
const HTTPS_PORT = 18_443 + NUMBER;

/** Of the image that is tested. */
export const IMAGE = `velum:stack${NUMBER}`;

const SETTINGS: Readonly<Record<string, string>> = {
  COMPOSE_PROJECT_NAME: PROJECT,
  HTTP_PORT: String(HTTP_PORT),
  HTTPS_PORT: String(HTTPS_PORT),
  FRONTEND_PREFIX: `172.30.${90 + NUMBER}`,
  FLUENTD_PORT: String(24_224 + NUMBER),
  KIBANA_PORT: String(15_601 + NUMBER),
  // The part `logs` turns it on.
  LOGGING: 'local',
  FACE_WORKERS: '1',
  WATCH_SECONDS: '3',
  // A part takes longer than the 15 minutes of a token.
  ACCESS_TOKEN_SECONDS: '7200',
  MATCH_MEMORY_MB: '256',
  RATE_LIMIT_CLIENT_PER_MINUTE: '1000000',
  RATE_LIMIT_IP_PER_MINUTE: '1000000',
  // Load asks about the same few faces.
  OPENINGS_PER_CLIENT_PER_MINUTE: '1000000',
  OPENINGS_PER_GALLERY_PER_MINUTE: '1000000',
  OPENINGS_PER_SUBJECT_PER_MINUTE: '1000000',
  OPENINGS_PER_SUBJECT_PER_DAY: '100000000',
  DEDUPLICATIONS_PER_GALLERY_PER_DAY: '1000',
};

export interface Ended {
  readonly status: number;
  /** What a person would have followed. */
  readonly text: string;
  /** When each line came. */
  readonly lines: readonly { readonly at: number; readonly line: string }[];
}

/** A server of its own: a folder, a Compose project and deploy.sh. */
export class Installation {
  readonly project = PROJECT;
  readonly httpPort = HTTP_PORT;
  readonly httpsPort = HTTPS_PORT;

  private constructor(readonly folder: string) {}

  /** From nothing; what a run before left is removed. */
  static async make(folder: string): Promise<Installation> {
    const installation = new Installation(folder);
    installation.replaceServer();
    await installation.init();
    return installation;
  }

  /** A server of the same name that has the release and nothing else. */
  replaceServer(): void {
    this.remove();
    mkdirSync(this.folder, { recursive: true });
    for (const file of FILES) cpSync(file, join(this.folder, file), { recursive: true });
  }

  async init(): Promise<void> {
    const { status, text } = await this.run(['init']);
    if (status !== 0) throw new Error(text);
    this.set(SETTINGS);
  }

  get certificate(): string {
    return readFileSync(join(this.folder, 'ssl/letsencrypt/live/velum/fullchain.pem'), 'utf8');
  }

  /** Secrets, keys and certificates, and their hashes. */
  privateFiles(): Map<string, string> {
    return new Map(
      ['secrets', 'ssl'].flatMap((name) =>
        readdirSync(join(this.folder, name), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')] as const),
      ),
    );
  }

  set(settings: Readonly<Record<string, string>>): void {
    const path = join(this.folder, '.env.production');
    const kept = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => !Object.hasOwn(settings, line.split('=')[0] ?? ''));
    const added = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    writeFileSync(path, `${[...kept, ...added].filter((line) => line !== '').join('\n')}\n`);
  }

  /** `killAt`: kill -9 when a line says this. `seen`: told of each line as it comes. */
  run(args: readonly string[], killAt?: string, seen?: (line: string) => void): Promise<Ended> {
    const child = spawn('./deploy.sh', args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: { at: number; line: string }[] = [];
    const take = (part: Buffer): void => {
      const at = Date.now();
      for (const line of part.toString().split('\n').filter(Boolean)) {
        lines.push({ at, line });
        seen?.(line);
      }
      if (killAt !== undefined && part.includes(killAt)) child.kill('SIGKILL');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    return new Promise((resolve) => {
      child.once('exit', (code) => {
        resolve({ status: code ?? -1, text: lines.map(({ line }) => line).join('\n'), lines });
      });
    });
  }

  /** What it said; throws unless it ended with 0. */
  async succeed(...args: readonly string[]): Promise<string> {
    const { status, text } = await this.run(args);
    if (status !== 0) throw new Error(`deploy.sh ${args.join(' ')} ended with ${status}:\n${text}`);
    return text;
  }

  async status(): Promise<{ active: string; services: Record<string, { health: string; image: string }> }> {
    const { text } = await this.run(['status', '--json']);
    return JSON.parse(text);
  }

  /** A client app of its own, made as an operator does. */
  async createClient(): Promise<{ clientId: string; clientSecret: string }> {
    const { text } = await this.run([
      'velum',
      'clients',
      'create',
      '--name',
      'test',
      '--scopes',
      'all',
      '--json',
    ]);
    const json = text.split('\n').find((line) => line.startsWith('{'));
    if (json === undefined) throw new Error(text);
    return JSON.parse(json);
  }

  /** A volume of its own for the data, in a file that keeps what was written. Of 8 GB, which it does not take. */
  attachDisk(image: string): void {
    if (!existsSync(image)) {
      run('truncate', '-s', '8G', image);
      run('mkfs.ext4', '-q', '-F', image);
    }
    mkdirSync(this.data, { recursive: true });
    run('mount', '-o', 'loop', image, this.data);
  }

  detachDisk(): void {
    run('umount', this.data);
  }

  private get data(): string {
    return join(this.folder, 'data');
  }

  container(service: string): string {
    return this.containers(service)[0] ?? '';
  }

  /** Of a service that is scaled there are several, always told in the same order. */
  containers(service: string): string[] {
    const labels = [`com.docker.compose.project=${this.project}`, `com.docker.compose.service=${service}`];
    return docker('ps', '-q', '--no-trunc', ...labels.flatMap((label) => ['--filter', `label=${label}`]))
      .split('\n')
      .filter(Boolean)
      .sort();
  }

  /** One value, as PostgreSQL's superuser. */
  query(sql: string): string {
    return docker('exec', this.container('postgres'), 'psql', '-qtA', '-d', 'velum', '-c', sql);
  }

  remove(): void {
    const mine = ['--filter', `label=com.docker.compose.project=${this.project}`];
    const containers = docker('ps', '-aq', ...mine)
      .split('\n')
      .filter(Boolean);
    if (containers.length > 0) docker('rm', '-f', ...containers);
    const networks = docker('network', 'ls', '-q', ...mine)
      .split('\n')
      .filter(Boolean);
    if (networks.length > 0) docker('network', 'rm', ...networks);
    if (spawnSync('mountpoint', ['-q', this.data]).status === 0) this.detachDisk();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a script of Node beside the services, in the image of the apps, with all their secrets. */
  probe(network: string, script: string): string {
    const { stdout, stderr } = spawnSync(
      'docker',
      [
        'run',
        '--rm',
        '--network',
        `${this.project}_${network}`,
        '-v',
        `${this.folder}/secrets:/secrets:ro`,
        '-v',
        `${this.folder}/ssl/internal:/tls:ro`,
        '--entrypoint',
        'node',
        IMAGE,
        '--input-type=module',
        '-e',
        script,
      ],
      { encoding: 'utf8' },
    );
    return (stdout + stderr).trim();
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr);
}
