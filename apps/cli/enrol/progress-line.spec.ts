import { expect, test } from 'vitest';
import { duration, inWords, jobLine, registrationLine, uploadLine, withBar } from './progress-line.js';

const job = {
  id: 'j',
  galleryId: 'g',
  state: 'running',
  code: null,
  detail: null,
  total: 200,
  done: 90,
  refused: 9,
  failed: 1,
  itemsPerSecond: 4.16,
  estimatedEnd: '2026-01-01T00:01:05Z',
} as const;

test('an upload tells how much of how much, how fast, and how long it takes', () => {
  const line = withBar(uploadLine(30_000_000, 120_000_000, 10), 100);
  expect(line).toBe('Uploading   ██████░░░░░░░░░░░░░░░░░░  25 %  30 MB of 120 MB  3.0 MB/s  30 s left');
});

test('a job tells how many are done, refused and failed', () => {
  const line = jobLine(job, new Date('2026-01-01T00:00:00Z'));
  expect(inWords(line)).toBe(
    'Enrolling: 50 %, 100 of 200 people, 9 refused, 1 failed, 4.2/s, 1 min 5 s left',
  );
  const waiting = jobLine({ ...job, total: null }, new Date());
  expect(withBar(waiting, 80)).toBe('Enrolling   waiting for the worker');
});

test('100 % is told only when all is done', () => {
  expect(inWords(registrationLine(999, 1_000, 1))).toContain('99 %');
});

test('a narrow terminal gets the words, and never a second line', () => {
  const line = withBar(uploadLine(1, 2, 10), 40);
  expect(line).not.toContain('█');
  expect(line.length).toBeLessThanOrEqual(40);
});

test('times are told as people tell them', () => {
  expect([0.2, 59, 61, 7_260].map(duration)).toEqual(['1 s', '59 s', '1 min 1 s', '2 h 1 min']);
});
