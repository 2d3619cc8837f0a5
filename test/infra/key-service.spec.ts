import { loadAll } from 'js-yaml';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../harness/test-client.js';

const URL_OF_SERVICE = 'https://vault:8200/v1/transit/decrypt/velum';
const composed = spawnSync('docker-compose', ['version']).status === 0;
const kubectl = spawnSync('kubectl', ['version', '--client', '--output=json'], { encoding: 'utf8' });
const kustomized = kubectl.status === 0 && /^v[5-9]/.test(JSON.parse(kubectl.stdout).kustomizeVersion ?? '');

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'velum-kms-'));
  mkdirSync(join(folder, 'secrets'));
  mkdirSync(join(folder, 'ssl/kms'), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs functions of deploy.sh on a server with this setting. */
function onServer(url: string, script: string): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(join(folder, '.env.production'), `CUSTODY_KMS_URL=${url}\n`);
  const parts = ['output', 'stack', 'kms', 'logging', 'colours', 'backup', 'rotate-keys'].map(
    (part) => `. '${resolve(`infra/deploy/${part}.sh`)}'`,
  );
  return spawnSync('bash', ['-euo', 'pipefail', '-c', `${parts.join('; ')}; ${script}`], {
    encoding: 'utf8',
    cwd: folder,
  });
}

function filesOf(url: string): string {
  const script = 'COMPOSE=echo PROJECT=p; logging_configuration() { echo; }; compose up';
  return onServer(url, script).stdout;
}

function namesOf(list: Json[] = []): string[] {
  return list.map((each) => (typeof each === 'string' ? each : each.source));
}

function secret(name: string, text: string): void {
  writeFileSync(join(folder, 'secrets', name), text, { mode: 0o440 });
}

test('deploy.sh names what a key service lacks before anything is changed, and asks for nothing without one', () => {
  const preflight = (url = URL_OF_SERVICE): string => onServer(url, 'kms_preflight').stderr;
  const key = 'custody_encryption_key.txt';
  expect(preflight('')).toBe('');
  expect(preflight('http://vault:8200/v1/transit/decrypt/velum')).toContain('must begin with https://');
  expect(preflight()).toContain('secrets/custody_kms_token.txt is missing');
  secret('custody_kms_token.txt', 'token');
  expect(preflight()).toContain('ssl/kms/ca.crt is missing');
  writeFileSync(join(folder, 'ssl/kms/ca.crt'), 'authority');
  secret(key, 'c1:vault:v1:abc\nc2:AAAA');
  expect(preflight()).toContain('did not wrap');
  // As `echo` writes it and as an editor may, without an end of line.
  for (const lines of ['c1:vault:v1:abc\n', 'c1:vault:v1:abc\nc2:vault:v1:def']) {
    rmSync(join(folder, 'secrets', key));
    secret(key, lines);
    expect(preflight()).toBe('');
  }
  expect(onServer(URL_OF_SERVICE, 'rotate_key custody').stderr).toContain('a key service wraps these keys');
});

test('deploy.sh adds the file of the key service where there is one', () => {
  expect(filesOf(URL_OF_SERVICE)).toContain('-f docker-compose.kms.yml');
  expect(filesOf('')).not.toContain('kms');
});

test.runIf(composed)(
  'custodians and restore have the token and the way to the service, and nobody else',
  () => {
    const { stdout, status } = spawnSync(
      'docker-compose',
      ['-f', 'docker-compose.prod.yml', '-f', 'docker-compose.kms.yml', 'config'],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          CUSTODY_KMS_URL: URL_OF_SERVICE,
          JWT_ISSUER: 'https://velum',
          JWT_AUDIENCE: 'v',
        },
      },
    );
    expect(status).toBe(0);
    const [rendered]: Json[] = loadAll(stdout);
    const services = Object.entries<Json>(rendered.services);
    const having = (which: (service: Json) => boolean): string[] =>
      services.filter(([, service]) => which(service)).map(([name]) => name);
    const holders = ['custodian-blue', 'custodian-green', 'restore'];
    expect(having(({ secrets }) => namesOf(secrets).includes('custody_kms_token')).toSorted()).toEqual(
      holders,
    );
    expect(having(({ networks }) => 'keys' in (networks ?? {})).toSorted()).toEqual(holders);
    expect(having(({ environment }) => environment?.CUSTODY_KMS_URL === URL_OF_SERVICE).toSorted()).toEqual(
      holders,
    );
    // What they had before they have still.
    for (const [name, { secrets, networks }] of services.filter(([each]) => each.startsWith('custodian'))) {
      expect([name, namesOf(secrets)]).toEqual([name, expect.arrayContaining(['custody_encryption_key'])]);
      expect([name, Object.keys(networks).toSorted()]).toEqual([name, ['custody', 'keys']]);
    }
  },
);

describe.runIf(kustomized)('the component of the key service', () => {
  let resources: Json[];

  beforeAll(() => {
    const copy = join(folder, 'k8s');
    cpSync('infra/k8s', copy, { recursive: true });
    appendFileSync(join(copy, 'kustomization.yaml'), 'components: [kms]\n');
    const rendered = spawnSync('kubectl', ['kustomize', copy], { encoding: 'utf8' });
    expect([rendered.status, rendered.stderr]).toEqual([0, '']);
    resources = loadAll(rendered.stdout);
  });

  test('is valid by the schemas of Kubernetes', async () => {
    for (const resource of resources.filter(({ apiVersion }) => !apiVersion.startsWith('keda.sh/'))) {
      const { apiVersion, kind } = resource;
      const models: Json = await import(`kubernetes-models/${apiVersion}/${kind}`);
      expect(() => new models[kind](resource).validate(), `${kind} ${resource.metadata.name}`).not.toThrow();
    }
  });

  test('gives the token, and the way out, to the custodian alone', () => {
    const deployments = resources.filter(({ kind }) => kind === 'Deployment');
    const holders = deployments.filter(({ spec }) =>
      JSON.stringify(spec.template.spec.volumes).includes('"velum-custody-kms"'),
    );
    expect(holders.map(({ metadata }) => metadata.name)).toEqual(['velum-custodian']);
    const [container] = holders[0].spec.template.spec.containers;
    const mounts = container.volumeMounts.map(({ mountPath }: Json) => mountPath);
    expect(mounts).toEqual(expect.arrayContaining(['/run/kms', '/run/secrets', '/run/custody', '/tmp']));
    const config = resources.find(({ metadata }) => metadata.name === container.envFrom[0].configMapRef.name);
    expect(config.data).toMatchObject({
      CUSTODY_KMS_URL: expect.stringMatching(/^https:/),
      CUSTODY_KMS_TOKEN_FILE: '/run/kms/token',
      CUSTODY_KMS_CA_FILE: '/run/kms/ca.crt',
      CUSTODIAN_TLS_CA_FILE: '/run/custody/ca.crt',
    });
    const ways = resources.filter(
      ({ kind, spec }) => kind === 'NetworkPolicy' && JSON.stringify(spec).includes('8200'),
    );
    expect(ways.map(({ spec }) => spec.podSelector)).toEqual([
      { matchLabels: { 'app.kubernetes.io/name': 'velum-custodian' } },
    ]);
  });
});
