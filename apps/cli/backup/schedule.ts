import type { BackupStore } from '#backup/backup-store';
import { dueAfter, type TimeOfDay } from '#backup/due';
import { listBackups } from '#backup/list-backups';
import type { InternalAnswer } from '#platform/internal-server';
import type { Keyring } from '#platform/keyring';
import type { Sample } from '#platform/scrape';
import { Logger } from '@nestjs/common';
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

const MINUTE_MS = 60_000;
/** A look at the target costs a request for each backup. */
const LONGEST_PAUSE_MS = 10 * MINUTE_MS;
/** A day, and two hours to make it. */
const LONGEST_AGE_MS = 26 * 60 * MINUTE_MS;

/** Makes a backup a day for as long as it runs; each step is a command in a process of its own. */
export class Schedule {
  private readonly logger = new Logger('backup');
  private readonly stopping = new AbortController();
  private newest: Date | undefined;
  private running: ChildProcess | undefined;

  constructor(
    private readonly store: BackupStore,
    private readonly keyring: Keyring,
    private readonly at: TimeOfDay,
    /** Arguments of the command line, in their order. */
    private readonly steps: readonly (readonly string[])[],
  ) {}

  async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const wait = (await this.look()) ? dueAfter(this.newest, this.at).getTime() - Date.now() : MINUTE_MS;
      if (wait > 0) await this.pause(Math.min(wait, LONGEST_PAUSE_MS));
      else if (!(await this.backUp())) await this.pause(LONGEST_PAUSE_MS);
    }
  }

  stop(): void {
    this.stopping.abort();
    this.running?.kill('SIGTERM');
  }

  /** For the health check: whether the newest backup is young enough. */
  async health(): Promise<InternalAnswer> {
    const young = this.newest !== undefined && Date.now() - this.newest.getTime() < LONGEST_AGE_MS;
    const body = { status: young ? 'ok' : 'error', newest: this.newest ?? null };
    return { status: young ? 200 : 503, type: 'application/json', body: JSON.stringify(body) };
  }

  newestAge(): readonly Sample<'velum_backup_newest_age_seconds'>[] {
    if (this.newest === undefined) return [];
    return [{ name: 'velum_backup_newest_age_seconds', value: (Date.now() - this.newest.getTime()) / 1_000 }];
  }

  /** Answers whether the target could be read. */
  private async look(): Promise<boolean> {
    try {
      const { good, bad } = await listBackups(this.store, this.keyring);
      const newest = good.at(-1);
      this.newest = newest && new Date(newest.takenAt);
      if (bad.length > 0) this.logger.error({ message: 'backups are not what was written', backups: bad });
      return true;
    } catch (error) {
      this.failed('the target cannot be read', error instanceof Error ? error.message : '');
      return false;
    }
  }

  /** Answers whether all steps were done. */
  private async backUp(): Promise<boolean> {
    let done = true;
    for (const step of this.steps) done = (await this.carryOut(step)) && done;
    return done;
  }

  private async carryOut(step: readonly string[]): Promise<boolean> {
    const [script = ''] = process.argv.slice(1);
    const child = spawn(process.execPath, [script, ...step], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running = child;
    let [said, reason] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (said += part.toString()));
    child.stderr.on('data', (part: Buffer) => (reason += part.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    this.running = undefined;
    if (this.stopping.signal.aborted) return false;
    if (code !== 0) {
      this.failed(`${step.join(' ')} failed`, reason.trim());
      return false;
    }
    if (reason.trim() !== '') this.logger.warn({ message: reason.trim() });
    this.logger.log({ message: `${step.join(' ')} done`, said: said.trim() });
    return true;
  }

  private failed(message: string, reason: string): void {
    this.logger.error({ message, reason });
  }

  private async pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
