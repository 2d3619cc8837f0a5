import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from './stack.js';

/** Until every audit entry has its leaf. */
export async function everythingSequenced(stack: Stack): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await stack.owner.query('SELECT FROM audit_pending LIMIT 1')).rowCount === 0) return;
    await pause(50);
  }
  throw new Error('audit entries still wait for their leaves');
}
