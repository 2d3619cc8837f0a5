import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, register } from 'prom-client';
import type { DataSource, EntityManager } from 'typeorm';
import type { InternalAnswer } from './internal-server.js';

/** Several who scrape at the same moment are told the same. */
const FRESH_MS = 2_000;
const LONGEST_READ_MS = 2_000;
const LONGEST_STATEMENT_MS = 1_000;

export interface Sample<Name extends string> {
  readonly name: Name;
  readonly labels?: Readonly<Partial<Record<string, string>>>;
  readonly value: number;
}

interface GaugeText {
  readonly help: string;
  readonly labels?: readonly string[];
}

const scrapeErrors = new Counter({
  name: 'velum_scrape_errors_total',
  help: 'Times that something could not be read for a scrape, whose metrics were then absent',
  labelNames: ['source'],
});

/**
 * Values that are read when somebody scrapes, from PostgreSQL, Redis or memory: all processes tell the same of what they
 * share. What cannot be read is absent, and the scrape succeeds all the same.
 */
@Injectable()
export class Scrape {
  private readonly sources: ScrapedSource<string>[] = [];

  source<Name extends string>(
    source: string,
    gauges: Readonly<Record<Name, GaugeText>>,
    read: () => Promise<readonly Sample<Name>[]>,
  ): void {
    this.sources.push(new ScrapedSource<string>(source, gauges, read));
  }

  /** Of the process itself: memory with all its threads, processor, event loop, garbage collection. */
  watchProcess(): void {
    collectDefaultMetrics();
  }

  /** All metrics of this process, in the text format of Prometheus. */
  async page(): Promise<InternalAnswer> {
    await Promise.all(this.sources.map((source) => source.refresh()));
    return { status: 200, type: register.contentType, body: await register.metrics() };
  }
}

class ScrapedSource<Name extends string> {
  private readonly gauges = new Map<string, Gauge>();
  private reading: Promise<readonly Sample<Name>[]> | undefined;
  private readAt = -Infinity;

  constructor(
    private readonly source: string,
    private readonly texts: Readonly<Record<string, GaugeText>>,
    private readonly read: () => Promise<readonly Sample<Name>[]>,
  ) {
    for (const [name, { help, labels = [] }] of Object.entries(texts)) {
      this.gauges.set(name, new Gauge({ name, help, labelNames: labels }));
    }
    this.clear();
  }

  async refresh(): Promise<void> {
    if (performance.now() - this.readAt < FRESH_MS) return;
    // A read that hangs is waited for by the next scrape too, instead of being begun again beside itself.
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    try {
      const samples = await withinBound(this.reading);
      this.clear();
      for (const { name, labels = {}, value } of samples) this.gauges.get(name)?.set(labels, value);
      this.readAt = performance.now();
    } catch {
      this.clear();
      scrapeErrors.inc({ source: this.source });
    }
  }

  private clear(): void {
    for (const [name, gauge] of this.gauges) {
      gauge.reset();
      // Without labels a gauge that is reset says 0, which is not what "unknown" means.
      if (this.texts[name]?.labels === undefined) gauge.remove();
    }
  }
}

/** Asks the database with little patience: whoever watches must not weigh on what is watched. */
export function askBriefly<R>(db: DataSource, ask: (tx: EntityManager) => Promise<R>): Promise<R> {
  return db.transaction(async (tx) => {
    await tx.query(`SET LOCAL statement_timeout = ${LONGEST_STATEMENT_MS}`);
    return ask(tx);
  });
}

async function withinBound<R>(reading: Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('a read for a scrape takes too long')), LONGEST_READ_MS);
  });
  try {
    return await Promise.race([reading, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
