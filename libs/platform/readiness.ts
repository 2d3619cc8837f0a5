import { setTimeout } from 'node:timers/promises';
import type { InternalAnswer } from './internal-server.js';

const LONGEST_CHECK_MS = 2_000;

/** That the process runs, for an orchestrator. */
export const ALIVE: InternalAnswer = answer(200, { status: 'ok' });

/** Whether a process can do its work: 200 if all of its parts do, else 503 and which of them are down. */
export async function readiness(checks: Readonly<Record<string, Promise<unknown>>>): Promise<InternalAnswer> {
  const parts = await Promise.all(
    Object.entries(checks).map(async ([part, check]) => [part, (await works(check)) ? 'up' : 'down']),
  );
  const up = parts.every(([, state]) => state === 'up');
  return answer(up ? 200 : 503, { status: up ? 'ok' : 'error', ...Object.fromEntries(parts) });
}

async function works(check: Promise<unknown>): Promise<boolean> {
  const late = setTimeout(LONGEST_CHECK_MS, false, { ref: false });
  return Promise.race([check.then(() => true).catch(() => false), late]);
}

function answer(status: number, body: object): InternalAnswer {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}
