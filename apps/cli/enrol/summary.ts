import { BIOMETRICS_ERRORS } from '#biometrics/biometrics.errors';
import { CONSENT_ERRORS } from '#consent/consent.errors';
import { ITEM_REFUSALS } from '#jobs/jobs.errors';
import type { Job } from './job.js';
import type { Skipped } from './person.js';
import { duration } from './progress-line.js';
import type { Refusals } from './results.js';

const SKIPPED_TOLD = 10;

/** How it ended. */
export interface Report {
  readonly gallery: { readonly id: string; readonly name: string };
  readonly job: Job;
  readonly refusals: readonly Refusals[];
  readonly skipped: readonly Skipped[];
  readonly seconds: number;
}

export const EXIT_ALL_DONE = 0;
export const EXIT_NOT_DONE = 1;
export const EXIT_SOME_REFUSED = 2;

export function exitCodeOf({ job: { state, refused, failed } }: Report): number {
  if (state !== 'ended') return EXIT_NOT_DONE;
  return refused + failed === 0 ? EXIT_ALL_DONE : EXIT_SOME_REFUSED;
}

export function jsonSummary({ gallery, job, refusals, skipped, seconds }: Report): object {
  const { id, state, code, detail, total, done, refused, failed } = job;
  return {
    jobId: id,
    galleryId: gallery.id,
    state,
    code,
    detail,
    total,
    done,
    refused,
    failed,
    refusals: refusals.map((each) => ({ ...each, detail: adviceOn(each.code) ?? null })),
    skipped,
    seconds: Math.round(seconds),
  };
}

export function textSummary({ gallery, job, refusals, skipped, seconds }: Report): string {
  const { id, state, code, detail, total, done, refused, failed } = job;
  const lines: string[] = [];
  if (state === 'failed') {
    lines.push(`The job was refused as a whole: ${code ?? 'no reason told'}. ${detail ?? ''}`.trim());
  } else {
    if (state === 'cancelled') lines.push('The job was cancelled before it ended.');
    lines.push(
      `Enrolled ${done} of ${total ?? 0} people in "${gallery.name}" in ${duration(seconds)} (job ${id}).`,
    );
  }
  if (refused + failed > 0) {
    lines.push(
      [...(refused === 0 ? [] : [`${refused} refused`]), ...(failed === 0 ? [] : [`${failed} failed`])].join(
        ', ',
      ) + ':',
    );
  }
  for (const { code: reason, count, names } of refusals) {
    lines.push(`  ${count}  ${reason}  ${adviceOn(reason) ?? ''}`.trimEnd());
    for (const name of names) lines.push(`       ${name}`);
    if (count > names.length)
      lines.push(`       and ${count - names.length} more (--results FILE names all)`);
  }
  if (refusals.some(({ code: reason }) => reason === 'subject_not_found')) {
    lines.push('If they agreed to a notice: --notice ID registers them and records it.');
  }
  if (refusals.length > 0 && done > 0) {
    lines.push(
      'Enrol better photographs of them from another folder: whoever is done would get a second template.',
    );
  }
  if (skipped.length > 0) {
    lines.push('Not uploaded:');
    for (const { file, reason } of skipped.slice(0, SKIPPED_TOLD)) lines.push(`  ${file} (${reason})`);
    if (skipped.length > SKIPPED_TOLD) lines.push(`  and ${skipped.length - SKIPPED_TOLD} more`);
  }
  return lines.join('\n');
}

/** What the code says to do. A newer server may know codes that are not known here. */
function adviceOn(code: string): string | undefined {
  const item = Object.entries(ITEM_REFUSALS).find(([key]) => key === code)?.[1];
  return (
    item ??
    [...BIOMETRICS_ERRORS, ...CONSENT_ERRORS].find(({ problem }) => problem.code === code)?.problem.detail
  );
}
