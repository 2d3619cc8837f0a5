import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVELOPMENT_FOLDER } from './installation.js';

export const RUNNING_DEMO = join(DEVELOPMENT_FOLDER, 'running.json');

export interface RunningDemo {
  readonly pid: number;
  /** Of an operator's command. */
  readonly env: Readonly<Record<string, string>>;
  /** Of a client app. */
  readonly client: Readonly<Record<string, string>>;
}

/** The demo that runs; one that was killed leaves the file behind, not the process. */
export function runningDemo(): RunningDemo | undefined {
  if (!existsSync(RUNNING_DEMO)) return undefined;
  const demo: RunningDemo = JSON.parse(readFileSync(RUNNING_DEMO, 'utf8'));
  try {
    process.kill(demo.pid, 0);
    return demo;
  } catch {
    return undefined;
  }
}
