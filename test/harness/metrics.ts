import { readFileSync } from 'node:fs';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a process serves on its internal port. */
export class Metrics {
  private constructor(
    readonly text: string,
    readonly samples: readonly Sample[],
  ) {}

  static async of(internalUrl: string | undefined): Promise<Metrics> {
    const response = await fetch(`${internalUrl}/metrics`);
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
    const text = await response.text();
    return new Metrics(text, text.split('\n').flatMap(sampleOf));
  }

  /** By name, as in the documentation's table: its kind and what it tells. */
  get described(): Map<string, { kind: string; help: string }> {
    return new Map(
      [...this.text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (.*)$/gm)].map(
        ([, name = '', help = '', kind = '']) => [name, { kind, help }],
      ),
    );
  }

  /** The sum of the samples that have these labels; undefined if there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }
}

export interface DocumentedMetric {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
  readonly by: string;
  readonly help: string;
}

/** The rows of docs/metrics.md. */
export function documentedMetrics(): DocumentedMetric[] {
  return readFileSync('docs/metrics.md', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name = '', kind = '', labels = '', by = '', help = ''] = line
        .split('|')
        .map((cell) => cell.trim());
      if (!/^(gauge|counter|histogram)$/.test(kind)) return [];
      return [
        { name: unquoted(name), kind, labels: labels.split(' ').filter(Boolean).map(unquoted), by, help },
      ];
    });
}

/** The first column of the second table of docs/metrics.md. */
export function documentedStages(): string[] {
  const [, table = ''] = readFileSync('docs/metrics.md', 'utf8').split('\n## Stages\n');
  return [...(table.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)`/gm)].map(([, stage = '']) => stage);
}

function unquoted(cell: string): string {
  return cell.replaceAll('`', '');
}

function sampleOf(line: string): Sample[] {
  const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) return [];
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]);
  return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
}
