import { Agent } from 'node:https';
import { setTimeout } from 'node:timers/promises';
import { expect } from './check.js';
import type { StackClient } from './client.js';

interface Call {
  readonly begun: number;
  readonly ended: number;
  readonly slow: boolean;
  readonly fault: string | undefined;
}

/** Who sends how: calls, seconds between them, whether a connection is used again. */
const PARTS = [
  { senders: 6, pauseMs: 40, keepAlive: true, slow: false },
  { senders: 3, pauseMs: 80, keepAlive: false, slow: false },
  // Idle for longer than nginx keeps its own connection to the API.
  { senders: 8, pauseMs: 4_000, keepAlive: true, slow: false },
  { senders: 4, pauseMs: 100, keepAlive: true, slow: true },
];

const SLOW_PARTS = 12;
const SLOW_PAUSE_MS = 250;
/** Of each who uploads; a client may have 100 jobs that are not over, and the worker is the last to get the processor. */
const MOST_JOBS = 10;

/** What client apps send all the time; every call that is not answered as it should be counts as failed. */
export class Load {
  readonly calls: Call[] = [];
  private readonly jobs: string[] = [];
  private running = true;
  private readonly senders: Promise<void>[];

  /** `verify`: the path and the body of a verification that matches; `bulk`: where jobs are started. */
  constructor(
    private readonly client: StackClient,
    private readonly verify: { readonly path: string; readonly body: string },
    private readonly bulk: string,
  ) {
    this.senders = PARTS.flatMap(({ senders, pauseMs, keepAlive, slow }) =>
      Array.from({ length: senders }, () => this.sender(pauseMs, keepAlive, slow)),
    );
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.senders);
  }

  /** Waits for every job that was taken, each of whose lines must have one result; answers how many jobs there are. */
  async settle(): Promise<number> {
    const deadline = Date.now() + 120_000;
    for (const id of this.jobs) {
      while ((await this.client.json<{ state: string }>('GET', `/v1/jobs/${id}`)).state !== 'ended') {
        expect(Date.now() < deadline, `job ${id} has not ended after two minutes`);
        await setTimeout(500);
      }
      const { body } = await this.client.send('GET', `/v1/jobs/${id}/results`);
      const results = body.split('\n').filter(Boolean);
      const items = results.map((line) => JSON.parse(line) as { item: number; outcome: string });
      const numbers = new Set(items.filter(({ outcome }) => outcome === 'done').map(({ item }) => item));
      expect(
        results.length === SLOW_PARTS && numbers.size === SLOW_PARTS,
        `job ${id} has ${results.length} results for ${numbers.size} of its ${SLOW_PARTS} lines`,
      );
    }
    return this.jobs.length;
  }

  get failures(): string[] {
    return this.calls.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  }

  /** Of calls under way in that time, but uploads, which take their time; in milliseconds. */
  percentile(share: number, from: number, to: number): number {
    const times = this.calls
      .filter(({ begun, ended, slow }) => begun < to && ended > from && !slow)
      .map(({ begun, ended }) => ended - begun)
      .sort((a, b) => a - b);
    return times[Math.floor(times.length * share)] ?? NaN;
  }

  /** How many calls were under way at that moment. */
  underWay(at: number): number {
    return this.calls.filter(({ begun, ended }) => begun < at && ended > at).length;
  }

  private async sender(pauseMs: number, keepAlive: boolean, slow: boolean): Promise<void> {
    const client = this.client.over(new Agent({ keepAlive, maxSockets: 1 }));
    const jobs: string[] = [];
    while (this.running) {
      const begun = Date.now();
      const fault = await (slow ? this.upload(client, jobs) : this.match(client));
      const ended = Date.now();
      const told = fault && `after ${ended - begun} ms: ${fault}`;
      this.calls.push({ begun, ended, slow, fault: told });
      await setTimeout(pauseMs);
      await this.waitForOldest(client, jobs);
    }
  }

  /** Until one more may be started. */
  private async waitForOldest(client: StackClient, jobs: string[]): Promise<void> {
    while (this.running && jobs.length >= MOST_JOBS) {
      const { body } = await client.send('GET', `/v1/jobs/${jobs[0]}`).catch(() => ({ body: '' }));
      if (body.includes('"state":"ended"')) jobs.shift();
      else await setTimeout(SLOW_PAUSE_MS);
    }
  }

  private async match(client: StackClient): Promise<string | undefined> {
    try {
      const { status, body } = await client.send('POST', this.verify.path, this.verify.body);
      return status === 200 && body.includes('"match":true') ? undefined : `${status} ${body.slice(0, 200)}`;
    } catch (error) {
      return String(error);
    }
  }

  private async upload(client: StackClient, jobs: string[]): Promise<string | undefined> {
    try {
      const { status, body } = await client.stream('POST', this.bulk, slowly(this.verify.body), {
        'content-type': 'application/x-ndjson',
      });
      if (status !== 201) return `upload ${status} ${body.slice(0, 200)}`;
      const { id } = JSON.parse(body) as { id: string };
      this.jobs.push(id);
      jobs.push(id);
      return undefined;
    } catch (error) {
      return `upload ${String(error)}`;
    }
  }
}

/** The same face in lines that differ: a line that was there before is refused as a duplicate. */
async function* slowly(body: string): AsyncGenerator<string> {
  const { embedding } = JSON.parse(body) as { embedding: number[] };
  for (let i = 1; i <= SLOW_PARTS; i++) {
    yield `${JSON.stringify({ embedding: embedding.map((value) => value * i) })}\n`;
    await setTimeout(SLOW_PAUSE_MS);
  }
}
