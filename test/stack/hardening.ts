import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, type Table } from './check.js';
import { docker } from './engine.js';
import { IMAGE, type Installation } from './installation.js';

interface Container {
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>>;
    readonly Healthcheck?: { readonly Test: readonly string[] };
    readonly User: string;
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly PidsLimit: number | null;
    readonly CapDrop: readonly string[] | null;
    readonly ReadonlyRootfs: boolean;
    readonly SecurityOpt: readonly string[] | null;
    readonly RestartPolicy: { readonly Name: string };
    readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
    readonly Privileged: boolean;
    readonly Ulimits: readonly { readonly Name: string; readonly Hard: number }[] | null;
  };
}

/** Its master reads keys that are root's and opens ports below 1024; its workers, who read requests, are of another user. */
const MASTER_IS_ROOT = new Set(['nginx']);

/** Paths in the context of a build where an installation keeps what no image may hold. */
const PRIVATE_PATHS = [
  'secrets/secret_key.txt',
  'ssl/authority/ca.key',
  '.env.production',
  'data/redis/dump.rdb',
];

/** Its image writes the keystore beside its configuration. */
const WRITES_ITS_ROOT = new Set(['elasticsearch']);

/** What the image holds, and what the containers may do. */
export async function checkHardening(table: Table, server: Installation): Promise<void> {
  await checkContainers(table, server, 'of the main job');
  await checkImage(table, server);
}

/** Those of now: other parts start others. */
export async function checkContainers(table: Table, server: Installation, which: string): Promise<void> {
  await table.check(`every container ${which} has a health check, limits and no privileges`, async () => {
    const ids = docker('ps', '-q', '--filter', `label=com.docker.compose.project=${server.project}`).split(
      '\n',
    );
    const containers = JSON.parse(docker('inspect', ...ids)) as Container[];
    const lacks = containers.flatMap((container) => {
      const { Config, HostConfig } = container;
      const service = Config.Labels['com.docker.compose.service'] ?? '';
      const has = {
        'a health check': (Config.Healthcheck?.Test.length ?? 0) > 1,
        'a limit of memory': HostConfig.Memory > 0,
        'a limit of processes': (HostConfig.PidsLimit ?? 0) > 0,
        'a user of its own':
          MASTER_IS_ROOT.has(service) || !['', '0', 'root'].includes(Config.User.split(':')[0] ?? ''),
        'no capabilities': HostConfig.CapDrop?.includes('ALL') === true,
        'a read-only root file system': HostConfig.ReadonlyRootfs || WRITES_ITS_ROOT.has(service),
        'no new privileges':
          HostConfig.SecurityOpt?.some((option) => option.startsWith('no-new-privileges')) === true,
        'a restart policy': HostConfig.RestartPolicy.Name === 'unless-stopped',
        // What goes to Fluentd is kept in a cache that the engine limits by itself.
        'rotation of its log':
          HostConfig.LogConfig.Type === 'fluentd' || Object.hasOwn(HostConfig.LogConfig.Config, 'max-size'),
        'no privileged mode': !HostConfig.Privileged,
        'no core dumps': HostConfig.Ulimits?.some(({ Name, Hard }) => Name === 'core' && Hard === 0) === true,
      };
      return Object.entries(has).flatMap(([what, good]) => (good ? [] : [`${service} lacks ${what}`]));
    });
    expect(lacks.length === 0, lacks.join('; '));
    return `${containers.length} containers`;
  });

  await table.check(`no process ${which} is of root, but the master of nginx`, async () => {
    const ids = docker('ps', '-q', '--filter', `label=com.docker.compose.project=${server.project}`).split(
      '\n',
    );
    const ofRoot = ids.flatMap((id) =>
      docker('top', id, '-eo', 'uid,pid,args')
        .split('\n')
        .slice(1)
        .filter((line) => /^\s*0\s/.test(line))
        // The health check is started by the engine, as the user of the container.
        .filter((line) => !/nginx: master|healthy\.sh|\bcat$|runc init/.test(line)),
    );
    expect(ofRoot.length === 0, ofRoot.join('; '));
    return `${ids.length} containers`;
  });
}

async function checkImage(table: Table, server: Installation): Promise<void> {
  await table.check('the image has the packages that run, and none that only build or test', async () => {
    const { packages: locked } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
    };
    const list = ['run', '--rm', '--entrypoint', 'node', IMAGE, '-p', LIST_PACKAGES];
    const packages = docker(...list).split('\n');
    expect(packages.includes('node-seal') && packages.length > 100, `there are ${packages.length} packages`);
    const odd = packages.filter((name) => {
      const { dev = false, devOptional = false } = locked[`node_modules/${name}`] ?? {};
      return dev || devOptional;
    });
    expect(odd.length === 0, `in the image: ${odd.join(', ')}`);
    return `${packages.length} packages`;
  });

  await table.check('nothing private gets into the image, and two builds are the same', async () => {
    const context = mkdtempSync(join(tmpdir(), 'velum-context-'));
    const canary = randomBytes(24).toString('hex');
    try {
      for (const name of [
        'Dockerfile',
        '.dockerignore',
        'package.json',
        'package-lock.json',
        'tsconfig.json',
      ]) {
        cpSync(name, join(context, name));
      }
      for (const name of ['apps', 'libs', 'infra']) cpSync(name, join(context, name), { recursive: true });
      for (const path of PRIVATE_PATHS) {
        mkdirSync(dirname(join(context, path)), { recursive: true });
        writeFileSync(join(context, path), canary);
      }
      docker('build', '-q', '--no-cache', '-t', `${IMAGE}-again`, context);
    } finally {
      rmSync(context, { recursive: true });
    }
    // Those of a bucket are empty where there is none.
    const secrets = readdirSync(join(server.folder, 'secrets'))
      .map((name) => readFileSync(join(server.folder, 'secrets', name), 'utf8').trim())
      .filter(Boolean);
    const { found, bytes } = await search(`${IMAGE}-again`, [canary, ...secrets]);
    expect(found === undefined, 'a private file is in a layer');
    const history = docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', `${IMAGE}-again`);
    const told = /(password|secret|token|key)\w*=/i.exec(history)?.[0];
    expect(told === undefined, `the history says ${told}`);
    const [once, again] = [IMAGE, `${IMAGE}-again`].map(filesOf);
    expect(once !== undefined && once.size > 1_000, 'the image has no files');
    const different = [...(once ?? [])]
      .filter(([path, hash]) => again?.get(path) !== hash)
      .map(([path]) => path);
    expect(
      different.length === 0 && once?.size === again?.size,
      `different: ${different.slice(0, 5).join(', ')}`,
    );
    docker('rmi', `${IMAGE}-again`);
    return `${Math.round(bytes / 1e6)} MB of layers searched; ${once?.size} files of /app equal, built twice`;
  });
}

/** Of the top level, with those of a scope. */
const LIST_PACKAGES = `
  const names = (folder) => fs.readdirSync(folder).filter((name) => !name.startsWith('.'));
  names('node_modules')
    .flatMap((name) => name.startsWith('@') ? names('node_modules/' + name).map((each) => name + '/' + each) : name)
    .join('\\n')`;

/** Whether one of these texts is anywhere in the layers. */
function search(
  image: string,
  texts: readonly string[],
): Promise<{ found: string | undefined; bytes: number }> {
  const longest = Math.max(...texts.map(({ length }) => length));
  const child = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] });
  let [found, bytes, rest]: [string | undefined, number, Buffer] = [undefined, 0, Buffer.alloc(0)];
  child.stdout.on('data', (part: Buffer) => {
    bytes += part.length;
    const window = Buffer.concat([rest, part]);
    found ??= texts.find((each) => window.includes(each));
    rest = window.subarray(Math.max(0, window.length - longest));
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0 ? resolve({ found, bytes }) : reject(new Error(`docker save: ${code}`)),
    );
  });
}

/** The files of /app and their hashes. */
function filesOf(image: string): Map<string, string> {
  const command = [
    'run',
    '--rm',
    '--entrypoint',
    'sh',
    image,
    '-c',
    'find /app -type f -exec sha256sum {} +',
  ];
  const { stdout, status, stderr } = spawnSync('docker', command, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(stderr);
  return new Map(
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
}
