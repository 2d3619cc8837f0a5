import { describe, expect, test } from 'vitest';
import { delayAfter, Refused, Unreachable } from './retry.js';

describe('what went wrong', () => {
  test('is tried again with longer and longer waits while the API cannot be reached, for about two minutes', () => {
    const waits = Array.from({ length: 13 }, (_, tries) => delayAfter(new Unreachable('ECONNRESET'), tries));
    expect(waits.slice(0, 4)).toEqual([500, 1_000, 2_000, 4_000]);
    expect(waits.at(-1)).toBeUndefined();
    const total = waits.reduce<number>((sum, wait) => sum + (wait ?? 0), 0);
    expect(total).toBeGreaterThan(90_000);
    expect(total).toBeLessThan(180_000);
  });

  test('is tried again after the time that the API names, however often it is too busy', () => {
    expect(delayAfter(new Refused(429, 'rate_limited', '', 37), 0)).toBe(37_000);
    expect(delayAfter(new Refused(429, 'too_many_jobs', '', 60), 500)).toBe(60_000);
    expect(delayAfter(new Refused(503, 'dependency_unavailable', '', 2), 0)).toBe(2_000);
  });

  test('is told at once where another try cannot help', () => {
    for (const error of [
      new Refused(404, 'gallery_not_found', ''),
      new Refused(403, 'insufficient_scope', ''),
      new Refused(413, 'job_input_too_large', ''),
      new Error('of our own'),
    ]) {
      expect(delayAfter(error, 0)).toBeUndefined();
    }
  });
});
