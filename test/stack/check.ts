import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface Row {
  readonly what: string;
  readonly good: boolean;
  readonly measured: string;
}

/** A check is not begun that could end too late; nor are those after it, which find what it leaves behind. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

/** What was proven, in the order in which it was. */
export class Table {
  readonly rows: Row[] = [];

  /** When the process has run for that many minutes, no check begins any more. */
  lastStart = Infinity;

  async check(what: string, work: () => Promise<string>): Promise<void> {
    if (process.uptime() / 60 > this.lastStart) throw new TooLate(what);
    const started = Date.now();
    let row: Row;
    try {
      row = { what, good: true, measured: await work() };
    } catch (error) {
      row = { what, good: false, measured: error instanceof Error ? error.message : String(error) };
    }
    this.rows.push(row);
    const seconds = ((Date.now() - started) / 1_000).toFixed(1);
    console.log(`${row.good ? 'ok  ' : 'FAIL'} ${what} (${seconds} s): ${row.measured}`);
  }

  /** Prints the table, and writes how many rows are good and how many are not for whoever sums up. */
  print(results: string): void {
    const width = Math.max(0, ...this.rows.map(({ what }) => what.length));
    console.log(`\n| ${'what'.padEnd(width)} |      | measured\n| ${'-'.repeat(width)} | ---- | --------`);
    for (const { what, good, measured } of this.rows) {
      console.log(`| ${what.padEnd(width)} | ${good ? 'ok  ' : 'FAIL'} | ${measured.split('\n')[0]}`);
    }
    const failed = this.rows.filter(({ good }) => !good).length;
    const passed = this.rows.length - failed;
    console.log(`\n${passed} passed, ${failed} failed`);
    mkdirSync(dirname(results), { recursive: true });
    writeFileSync(results, JSON.stringify({ passed, failed }));
    if (failed > 0) process.exitCode = 1;
  }
}

export function expect(condition: boolean, failure: string): void {
  if (!condition) throw new Error(failure);
}

export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 180_000;
  while (!(await holds())) {
    expect(Date.now() < deadline, `not within three minutes: ${what}`);
    await setTimeout(1_000);
  }
}
