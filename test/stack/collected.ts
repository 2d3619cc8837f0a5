import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Routing } from '../harness/fluentd/routing.js';
import { expect } from './check.js';

interface Received {
  readonly tag: string;
  readonly record: { readonly log: string; readonly container_name: string };
}

/** What came to Fluentd through Docker's driver, and what the committed configuration makes of it. */
export class Collected {
  private readonly routing: Routing;

  constructor(private readonly folder: string) {
    this.routing = new Routing(join(folder, 'infra/fluentd/fluent.conf'));
  }

  /** As the containers wrote them. */
  lines(): string[] {
    return this.received().map(({ record }) => record.log);
  }

  /** The documents that Elasticsearch would get, as JSON, by their stream. */
  streams(): Readonly<Record<string, readonly string[]>> {
    const found: Record<string, string[]> = {};
    for (const { tag, record } of this.received()) {
      for (const { type, target, record: document } of this.routing.deliver(tag, { ...record })) {
        if (type === 'elasticsearch') (found[target] ??= []).push(JSON.stringify(document));
      }
    }
    return found;
  }

  has(stream: string, ...texts: readonly string[]): boolean {
    return (this.streams()[stream] ?? []).some((line) => texts.every((text) => line.includes(text)));
  }

  private received(): Received[] {
    return readFileSync(join(this.folder, 'data/logs/stand-in.ndjson'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}

/** How long it took, in milliseconds; throws if it takes longer. */
export async function until(what: string, ms: number, holds: () => boolean): Promise<number> {
  const begun = Date.now();
  while (!holds()) {
    expect(Date.now() - begun < ms, `${what}: not within ${ms / 1_000} s`);
    await setTimeout(200);
  }
  return Date.now() - begun;
}

/** What a container wrote since then, as Docker itself keeps it. */
export function keptByDocker(container: string, since: string): string[] {
  const { stdout } = spawnSync('docker', ['logs', '--since', since, container], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return stdout.split('\n').filter((line) => line.startsWith('{'));
}
