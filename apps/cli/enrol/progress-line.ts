import type { Job } from './job.js';

const CELLS = 24;

/** How far something is, in words; `share` (0 to 1) where it is known, for a bar. */
export interface ProgressLine {
  readonly doing: string;
  readonly share?: number;
  readonly facts: readonly string[];
}

export function registrationLine(done: number, total: number, seconds: number): ProgressLine {
  const left = secondsLeft(done, total, seconds);
  return { doing: 'Registering', share: done / total, facts: [`${done} of ${total} people`, ...left] };
}

export function uploadLine(sent: number, bytes: number, seconds: number): ProgressLine {
  if (sent >= bytes) return { doing: 'Uploading', share: 1, facts: [`${size(bytes)}, being stored`] };
  const rate = seconds < 1 ? [] : [`${size(sent / seconds)}/s`];
  const facts = [`${size(sent)} of ${size(bytes)}`, ...rate, ...secondsLeft(sent, bytes, seconds)];
  return { doing: 'Uploading', share: sent / bytes, facts };
}

export function jobLine(job: Job, now: Date): ProgressLine {
  const { total, done, refused, failed, itemsPerSecond, estimatedEnd } = job;
  if (total === null || total === 0) return { doing: 'Enrolling', facts: ['waiting for the worker'] };
  const over = done + refused + failed;
  const end = estimatedEnd === null ? undefined : (Date.parse(estimatedEnd) - now.getTime()) / 1_000;
  return {
    doing: 'Enrolling',
    share: over / total,
    facts: [
      `${over} of ${total} people`,
      ...(refused === 0 ? [] : [`${refused} refused`]),
      ...(failed === 0 ? [] : [`${failed} failed`]),
      ...(itemsPerSecond === null ? [] : [`${itemsPerSecond.toFixed(itemsPerSecond < 10 ? 1 : 0)}/s`]),
      ...(end === undefined || over === total ? [] : [`${duration(end)} left`]),
    ],
  };
}

/** In a terminal's line of so many columns. */
export function withBar({ doing, share, facts }: ProgressLine, columns: number): string {
  const start = doing.padEnd(12);
  const rest = facts.join('  ');
  if (share === undefined) return `${start}${rest}`.slice(0, columns);
  const full = Math.floor(share * CELLS);
  const bar = `${'█'.repeat(full)}${'░'.repeat(CELLS - full)} ${percent(share)}  `;
  // Where both do not fit, the words count.
  const line =
    start.length + bar.length + rest.length > columns ? `${start}${rest}` : `${start}${bar}${rest}`;
  return line.slice(0, columns);
}

/** For a log. */
export function inWords({ doing, share, facts }: ProgressLine): string {
  return `${doing}: ${[...(share === undefined ? [] : [percent(share).trim()]), ...facts].join(', ')}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}

function secondsLeft(done: number, total: number, seconds: number): string[] {
  if (done === 0 || done >= total || seconds < 1) return [];
  return [`${duration((seconds / done) * (total - done))} left`];
}

function size(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} KB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(2)} GB`;
}

/** Rounded down: 100 % is when all is done. */
function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5);
}
