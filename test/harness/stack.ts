import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { Client, Pool } from 'pg';
import { inject } from 'vitest';
import { AppProcess } from '../../infra/dev/app-process.js';
import {
  asOwner,
  type DatabaseUrls,
  migrateDatabase,
  prepareDatabase,
  urlsOf,
} from '../../infra/dev/database.js';
import { type RunningPostgres, startPostgres } from '../../infra/dev/postgres.js';
import { type RunningRedis, startRedis } from '../../infra/dev/redis.js';
import { Authority } from './certificates.js';

let made = 0;

export interface StackOptions {
  readonly apis?: number;
  readonly worker?: boolean;
  /** A PostgreSQL and a Redis that no other spec file uses, to be killed. */
  readonly ownServers?: boolean;
  /** Of another PostgreSQL: the URL of a superuser. */
  readonly server?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A Velum of real processes on a database and a Redis of its own. */
export class Stack {
  readonly apis: AppProcess[] = [];
  worker: AppProcess | undefined;
  readonly custodians: AppProcess[] = [];

  private authority: Authority | undefined;

  private constructor(
    readonly database: string,
    readonly urls: DatabaseUrls,
    /** As the owner, who sees everything. */
    readonly owner: Pool,
    readonly redis: RunningRedis | undefined,
    readonly redisUrl: string,
    readonly env: Readonly<Record<string, string>>,
    readonly postgres: RunningPostgres | undefined,
  ) {}

  static async start({
    apis = 1,
    worker = false,
    ownServers = false,
    server: given,
    env = {},
  }: StackOptions = {}): Promise<Stack> {
    const services = inject('services');
    const { secretsFolder, template, scratch } = services;
    const database = `velum_test_${process.pid}_${++made}`;
    const redisUrl = ownServers ? undefined : services.redisUrl;
    const postgres = ownServers ? await startPostgres(join(scratch, database, 'postgres')) : undefined;
    const server = given ?? postgres?.url ?? services.server;
    if (server !== services.server)
      migrateDatabase((await prepareDatabase(server, database, secretsFolder)).owner);
    else {
      await asOwner(new URL('/postgres', server).toString(), async (client) => {
        await copyDatabase(client, template, database);
      });
    }
    const urls = urlsOf(server, database, secretsFolder);
    const redis = redisUrl === undefined ? await startRedis(join(scratch, database), 'test') : undefined;
    const url = redis?.url ?? (await ownDatabaseOf(redisUrl ?? ''));
    const full = {
      VELUM_ENV: 'test',
      SECRETS_DIR: secretsFolder,
      DATABASE_URL: urls.app,
      WORKER_DATABASE_URL: urls.worker,
      CUSTODIAN_DATABASE_URL: urls.custodian,
      MIGRATION_DATABASE_URL: urls.owner,
      REDIS_URL: url,
      PORT: '0',
      SPOOL_DIR: join(scratch, database, 'spool'),
      METRICS_PORT: '0',
      FACE_WORKERS: '1',
      MATCH_WORKERS: '2',
      // A test asks about the same few faces; openings.spec.ts has the limits themselves.
      OPENINGS_PER_SUBJECT_PER_MINUTE: '1000000',
      OPENINGS_PER_SUBJECT_PER_DAY: '1000000',
      ...env,
    };
    const stack = new Stack(
      database,
      urls,
      new Pool({ connectionString: urls.owner, max: 4 }),
      redis,
      url,
      full,
      postgres,
    );
    // Connections that wait are lost with a server that is killed.
    stack.owner.on('error', () => undefined);
    try {
      for (let i = 0; i < apis; i++) await stack.startApi();
      if (worker) await stack.startWorker();
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  get url(): string {
    const [api] = this.apis;
    if (api === undefined) throw new Error('no API was started');
    return api.url;
  }

  /** Where inputs of bulk jobs are. */
  get spoolFolder(): string {
    return this.env['SPOOL_DIR'] ?? '';
  }

  async startApi(env: Readonly<Record<string, string>> = {}): Promise<AppProcess> {
    const api = await AppProcess.start('api', { ...this.env, ...env });
    this.apis.push(api);
    return api;
  }

  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<AppProcess> {
    this.worker = await AppProcess.start('worker', { ...this.env, ...env });
    return this.worker;
  }

  /** A custodian's process; `custody` is how others are started to ask it. */
  async startCustodian(port = '0'): Promise<AppProcess> {
    const custodian = await AppProcess.start('custodian', {
      VELUM_ENV: 'test',
      SECRETS_DIR: this.env['SECRETS_DIR'],
      CUSTODIAN_DATABASE_URL: this.urls.custodian,
      CUSTODIAN_PORT: port,
      METRICS_PORT: '0',
      ...Object.fromEntries(Object.entries(this.env).filter(([name]) => name.startsWith('OPENINGS_'))),
      ...this.tlsFiles('velum_custodian'),
    });
    this.custodians.push(custodian);
    return custodian;
  }

  /** Without keys in the process that is started with it. */
  custody(role: 'velum_app' | 'velum_worker', custodian = this.custodians[0]): Record<string, string> {
    const { port } = new URL(custodian?.url ?? '');
    return {
      CUSTODIAN_DATABASE_URL: '',
      CUSTODIAN_URL: `https://localhost:${port}`,
      ...this.tlsFiles(role),
    };
  }

  tlsFiles(commonName: string, authority = this.internalAuthority()): Record<string, string> {
    const { cert, key } = authority.sign(commonName);
    return {
      CUSTODIAN_TLS_CA_FILE: authority.cert,
      CUSTODIAN_TLS_CERT_FILE: cert,
      CUSTODIAN_TLS_KEY_FILE: key,
    };
  }

  /** Everything that the processes have printed. */
  get log(): string {
    return this.processes.flatMap(({ log }) => log).join('\n');
  }

  private internalAuthority(): Authority {
    if (this.authority === undefined) {
      const folder = join(dirname(this.spoolFolder), 'internal');
      mkdirSync(folder, { recursive: true });
      this.authority = new Authority(folder, 'internal');
    }
    return this.authority;
  }

  private get processes(): readonly AppProcess[] {
    return [...this.apis, ...(this.worker === undefined ? [] : [this.worker]), ...this.custodians];
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((app) => app.stop('SIGKILL')));
    await this.owner.end();
    await this.redis?.stop();
    if (this.postgres !== undefined) return this.postgres.stop();
    const server = this.urls.owner;
    await asOwner(new URL('/postgres', server).toString(), (client) =>
      client.query(`DROP DATABASE IF EXISTS ${this.database} WITH (FORCE)`),
    );
  }
}

/** Spec files run side by side, each in a worker of its own: each has a database of the Redis that all share. */
async function ownDatabaseOf(redisUrl: string): Promise<string> {
  const url = new URL(redisUrl);
  url.pathname = `/${process.env['VITEST_POOL_ID'] ?? '1'}`;
  const client = new Redis(url.toString());
  await client.flushdb();
  client.disconnect();
  return url.toString();
}

/** Two spec files may copy at once, and PostgreSQL lets one at a time use a template. */
async function copyDatabase(client: Client, template: string, database: string): Promise<void> {
  await client.query('SELECT pg_advisory_lock(42)');
  await client.query(`CREATE DATABASE ${database} TEMPLATE ${template}`);
  await client.query('SELECT pg_advisory_unlock(42)');
}
