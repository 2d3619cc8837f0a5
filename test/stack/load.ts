import { Agent } from 'node:https';
import { setTimeout } from 'node:timers/promises';
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

/** What client apps send all the time; every call that is not answered as it should be counts as failed. */
export class Load {
  readonly calls: Call[] = [];
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

  get failures(): string[] {
    return this.calls.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  }

  /** Of calls under way in that time, in milliseconds. */
  percentile(share: number, from: number, to: number): number {
    const times = this.calls
      .filter(({ begun, ended }) => begun < to && ended > from && ended - begun < SLOW_PARTS * SLOW_PAUSE_MS)
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
    while (this.running) {
      const begun = Date.now();
      const fault = await (slow ? this.upload(client) : this.match(client));
      this.calls.push({ begun, ended: Date.now(), slow, fault });
      await setTimeout(pauseMs);
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

  private async upload(client: StackClient): Promise<string | undefined> {
    try {
      const { status, body } = await client.stream('POST', this.bulk, slowly(this.verify.body), {
        'content-type': 'application/x-ndjson',
      });
      return status === 202 || status === 201 ? undefined : `upload ${status} ${body.slice(0, 200)}`;
    } catch (error) {
      return `upload ${String(error)}`;
    }
  }
}

async function* slowly(line: string): AsyncGenerator<string> {
  for (let i = 0; i < SLOW_PARTS; i++) {
    yield `${line}\n`;
    await setTimeout(SLOW_PAUSE_MS);
  }
}
