import { setTimeout } from 'node:timers/promises';
import { expect } from './check.js';
import type { StackClient } from './client.js';
import { Load } from './load.js';
import type { Story } from './story.js';

/** Of the shortest that there are. */
const RENEWED_MS = 45_000;

/** Does the work while client apps send calls, with tokens that they renew; throws if one of them failed. Answers how many there were. */
export async function underLoad(
  client: StackClient,
  { gallery, face, verifyPath }: Story,
  work: () => Promise<void>,
): Promise<string> {
  const verify = { path: verifyPath, body: JSON.stringify({ embedding: face }) };
  await client.renew();
  // Whoever gets none in time is refused, which is counted.
  const renewing = setInterval(() => void client.renew().catch(() => undefined), RENEWED_MS);
  const load = new Load(client, verify, `/v1/galleries/${gallery}/jobs?type=identify`);
  try {
    await setTimeout(3_000);
    await work();
    await setTimeout(3_000);
  } finally {
    await load.stop();
    clearInterval(renewing);
  }
  const { failures, calls } = load;
  expect(failures.length === 0, `${failures.length} of ${calls.length} failed: ${failures[0]}`);
  return `0 of ${calls.length} failed`;
}
