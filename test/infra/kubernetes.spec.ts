import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { SECRET_NAMES } from '#platform/secrets';
import { loadAll } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import type { Json } from '../harness/test-client.js';

const FOLDER = 'infra/k8s';
const version = spawnSync('kubectl', ['version', '--client', '--output=json'], { encoding: 'utf8' });
/** Kustomize 5 is built into kubectl from 1.27 on; Debian 12's own is older. */
const usable = version.status === 0 && /^v[5-9]/.test(JSON.parse(version.stdout).kustomizeVersion ?? '');
const kubectl = spawnSync('kubectl', ['kustomize', FOLDER], { encoding: 'utf8' });
const resources: Json[] = usable ? loadAll(kubectl.stdout) : asWritten();

const of = (kind: string): Json[] => resources.filter((each) => each.kind === kind);
const pods = (): Json[] => [...of('Deployment'), ...of('Job')].map(({ spec }) => spec.template);
const containers = (): Json[] => pods().flatMap(({ spec }) => spec.containers);
const holders = (secret: string): string[] =>
  pods()
    .filter(({ spec }) => JSON.stringify(spec.volumes).includes(`"${secret}"`))
    .map(({ metadata }) => metadata.labels['app.kubernetes.io/name']);
const selects = (selector: Json, labels: Json): boolean =>
  Object.entries(selector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);

describe('the Kubernetes manifests', () => {
  test.runIf(usable)('are rendered by Kustomize', () => {
    expect([kubectl.status, kubectl.stderr]).toEqual([0, '']);
    expect(new Set(resources.map(({ kind }) => kind))).toEqual(
      new Set([
        'ConfigMap',
        'Deployment',
        'HorizontalPodAutoscaler',
        'Job',
        'Namespace',
        'NetworkPolicy',
        'PersistentVolumeClaim',
        'PodDisruptionBudget',
        'ScaledObject',
        'Service',
      ]),
    );
  });

  test('are valid by the schemas of Kubernetes and KEDA, and have no member that these do not know', async () => {
    for (const resource of resources) {
      const { apiVersion, kind } = resource;
      const from = apiVersion.startsWith('keda.sh/') ? '@kubernetes-models/keda' : 'kubernetes-models';
      const models: Json = await import(`${from}/${apiVersion}/${kind}`);
      const name = `${kind} ${resource.metadata.name}`;
      expect(() => new models[kind](resource).validate(), name).not.toThrow();
      const watched = new WatchedReads(resource);
      models[kind].prototype.validate.call(watched.value);
      expect([name, watched.unread()]).toEqual([name, []]);
    }
  });

  test('run everything as nobody in particular: no root, no privilege, nothing to write to but what is named', () => {
    for (const { spec } of pods()) {
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
      expect(spec.automountServiceAccountToken).toBe(false);
    }
    for (const { name, securityContext, resources: own } of containers()) {
      expect([name, securityContext]).toEqual([
        name,
        {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      ]);
      expect([name, own.limits?.memory, own.requests?.cpu]).toEqual([
        name,
        expect.any(String),
        expect.anything(),
      ]);
    }
  });

  test('refer to what is there: selectors, volumes, ports, autoscaled deployments', () => {
    const configs = of('ConfigMap').map(({ metadata }) => metadata.name);
    for (const { metadata, spec } of pods()) {
      const volumes = spec.volumes.map((volume: Json) => volume.name);
      for (const container of spec.containers) {
        for (const mount of container.volumeMounts) expect(volumes).toContain(mount.name);
        for (const { configMapRef } of container.envFrom ?? []) {
          expect(configs).toContain(configMapRef.name);
        }
        const ports = (container.ports ?? []).map(({ name }: Json) => name);
        for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
          if (container[probe] !== undefined) expect(ports).toContain(container[probe].httpGet.port);
        }
      }
      expect(metadata.labels['app.kubernetes.io/name']).toMatch(/^velum-/);
    }
    for (const { spec } of of('Deployment'))
      expect(selects(spec.selector, spec.template.metadata.labels)).toBe(true);
    for (const { spec } of of('PodDisruptionBudget')) {
      expect(pods().filter(({ metadata }) => selects(spec.selector, metadata.labels))).toHaveLength(1);
    }
    const deployments = of('Deployment').map(({ metadata }) => metadata.name);
    for (const scaler of [...of('HorizontalPodAutoscaler'), ...of('ScaledObject')]) {
      expect(deployments).toContain(scaler.spec.scaleTargetRef.name);
    }
    const open = of('NetworkPolicy').flatMap(({ spec }) =>
      (spec.ingress ?? []).flatMap((rule: Json) => rule.ports.map(({ port }: Json) => port)),
    );
    const served = containers().flatMap(({ ports }) =>
      (ports ?? []).map(({ containerPort }: Json) => containerPort),
    );
    expect(new Set(open)).toEqual(new Set(served));
  });

  test('give the keys to the custodian alone, whom API and workers reach and nobody else', () => {
    expect(holders('velum-custody-key')).toEqual(['velum-custodian']);
    expect(holders('velum-database-custodian')).toEqual(['velum-custodian']);
    expect(holders('velum-secrets').toSorted()).toEqual(['velum-api', 'velum-worker']);
    const doors = of('NetworkPolicy').filter(({ spec }) =>
      (spec.ingress ?? []).some((rule: Json) => rule.ports.some(({ port }: Json) => port === 7443)),
    );
    expect(doors.map(({ spec }) => spec.ingress)).toEqual([
      [
        {
          from: [
            {
              podSelector: {
                matchExpressions: [
                  { key: 'app.kubernetes.io/name', operator: 'In', values: ['velum-api', 'velum-worker'] },
                ],
              },
            },
          ],
          ports: [{ protocol: 'TCP', port: 7443 }],
        },
      ],
    ]);
  });

  test('are closed: a policy that allows nothing holds for every pod', () => {
    const closed = of('NetworkPolicy').find(({ metadata }) => metadata.name === 'closed');
    expect(closed.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  });

  test('configure what the apps know, and hold no secret', () => {
    const settings = of('ConfigMap').flatMap(({ data }) => Object.entries<string>(data));
    const known = readFileSync('docs/operations.md', 'utf8');
    expect(settings.length).toBeGreaterThan(10);
    for (const [name, value] of settings) {
      // `<NAME>_FILE` says where a secret is.
      const secret = SECRET_NAMES.find((each) => `${each.toUpperCase()}_FILE` === name);
      expect(known).toContain(`\`${secret ?? name}\``);
      if (URL.canParse(value)) expect(new URL(value).password).toBe('');
    }
  });

  test('let every node be drained: of no deployment must all that there are at the least stay', () => {
    const least = new Map(of('Deployment').map(({ metadata, spec }) => [metadata.name, spec.replicas]));
    for (const { spec } of of('HorizontalPodAutoscaler'))
      least.set(spec.scaleTargetRef.name, spec.minReplicas);
    for (const { spec } of of('ScaledObject')) least.set(spec.scaleTargetRef.name, spec.minReplicaCount);
    for (const { metadata, spec } of of('PodDisruptionBudget')) {
      expect(spec.minAvailable ?? 0, metadata.name).toBeLessThan(least.get(metadata.name));
    }
  });

  test('are applied in two steps, of which the first is the migration alone', () => {
    const first = resources.filter(({ metadata }) => metadata.labels?.['velum/roll-out'] === 'before');
    expect(first.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([['Job', 'velum-migrate']]);
    expect(readFileSync('docs/kubernetes.md', 'utf8')).toContain(
      'apply -k infra/k8s -l velum/roll-out=before',
    );
  });

  test('scale workers by a metric that there is', () => {
    const documented = readFileSync('docs/metrics.md', 'utf8');
    const queries = of('ScaledObject').flatMap(({ spec }) =>
      spec.triggers.map(({ metadata }: Json) => metadata.query),
    );
    const names = queries.flatMap((query: string) => query.match(/velum_\w+/g) ?? []);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(documented).toContain(`\`${name}\``);
  });
});

function fileText(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8');
}

/** What Kustomize would put together, without what it adds: a machine without kubectl checks the manifests, too. */
function asWritten(): Json[] {
  const [{ resources: files, configMapGenerator }]: Json[] = loadAll(fileText('kustomization.yaml'));
  const configMaps = configMapGenerator.map(({ name, envs }: Json) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: parseEnv(envs.map(fileText).join('\n')),
  }));
  return [...files.flatMap((name: string) => loadAll(fileText(name))), ...configMaps];
}

/** The generated validators read each member that a schema knows, and list the names of free maps. */
class WatchedReads {
  readonly value: Json;
  private readonly all = new Set<string>();

  constructor(resource: Json) {
    this.value = this.watch(resource, '');
  }

  unread(): string[] {
    return [...this.all];
  }

  private watch(value: Json, at: string): Json {
    if (typeof value !== 'object' || value === null) return value;
    const children = new Map<string, Json>();
    for (const [name, child] of Object.entries(value)) {
      const path = `${at}.${name}`;
      if (!Array.isArray(value)) this.all.add(path);
      children.set(name, this.watch(child, path));
    }
    const read = (name: string): void => void this.all.delete(`${at}.${name}`);
    return new Proxy(value, {
      get: (target, name) => {
        if (typeof name !== 'string') return Reflect.get(target, name);
        read(name);
        return children.get(name) ?? Reflect.get(target, name);
      },
      ownKeys: (target) => {
        for (const name of children.keys()) read(name);
        return Reflect.ownKeys(target);
      },
    });
  }
}
