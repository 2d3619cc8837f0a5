import { domainError } from '#platform/domain-error';

export class JobNotFound extends domainError({
  code: 'job_not_found',
  status: 404,
  title: 'No such job',
  detail: 'Use the id of a job that this client started.',
}) {}

export class JobInputTooLarge extends domainError({
  code: 'job_input_too_large',
  status: 413,
  title: 'The input of the job is too large',
  detail: 'Send at most 4 GiB, or part the input among several jobs.',
}) {}

export class JobInputEmpty extends domainError({
  code: 'job_input_empty',
  status: 422,
  title: 'The job has no input',
  detail: 'Send NDJSON (application/x-ndjson) or a ZIP of photographs with a manifest (application/zip).',
}) {}

export class JobInputUnsupported extends domainError({
  code: 'job_input_unsupported',
  status: 415,
  title: 'The kind of input is not supported',
  detail: 'Send application/x-ndjson, to enrol or identify also application/zip, and to deduplicate nothing.',
}) {}

export class JobInputCutOff extends domainError({
  code: 'job_input_cut_off',
  status: 400,
  title: 'The input ended too early',
  detail: 'The connection ended before all of the input had come: send it again.',
}) {}

export class JobStorageFull extends domainError({
  code: 'job_storage_full',
  status: 503,
  title: 'There is no room for the input',
  detail: 'Send it again when other jobs have ended, or part it; the operator can give SPOOL_DIR more room.',
  retryAfterSeconds: 300,
}) {}

export class TooManyJobs extends domainError({
  code: 'too_many_jobs',
  status: 429,
  title: 'Too many jobs are not over yet',
  detail: 'Wait until one of your 100 jobs has ended, or cancel one.',
  retryAfterSeconds: 60,
}) {}

export const JOB_ERRORS = [
  TooManyJobs,
  JobNotFound,
  JobInputTooLarge,
  JobInputEmpty,
  JobInputUnsupported,
  JobInputCutOff,
  JobStorageFull,
] as const;

/** Why the input of a job as a whole was refused: codes of jobs, not of HTTP answers. */
export const INPUT_REFUSALS = {
  no_items: 'The input has no items: send a line, or a row of the manifest, for each.',
  too_many_items: 'The input has more than 200,000 items: part it among several jobs.',
  line_too_long: 'A line is longer than 128 KiB: an item a line, and a newline after each.',
  archive_unreadable:
    'The ZIP is damaged, encrypted or of a kind that is not supported: make it anew, stored or deflated, without a password.',
  archive_unsafe: 'The ZIP has names that leave its folder: make it of relative names without "..".',
  archive_bomb: 'The ZIP unpacks to far more than it may.',
  manifest_missing:
    'The ZIP has neither manifest.csv nor manifest.ndjson at its top: put one there, not in a folder.',
  manifest_malformed:
    'The manifest cannot be read: UTF-8, parted by commas, with the columns subjectId or reference, file, and if you like consentId.',
  input_not_utf8: 'The input is not UTF-8: save it as that, and send a ZIP as application/zip.',
  gallery_not_found: 'The gallery was destroyed.',
  too_many_pairs:
    'Too many pairs of faces reach the threshold of the gallery to look through: use one with a higher threshold.',
  input_lost: 'The stored input cannot be read any more: send it again.',
  input_unreadable: 'Whatever read the input failed or died, again and again; the log says at what.',
} as const;

export type InputRefusal = keyof typeof INPUT_REFUSALS;

/** Why an item was refused before a face was looked at; the others are codes of the API's problems. */
export const ITEM_REFUSALS = {
  item_malformed: 'The line is not JSON, or lacks a member, or has one of the wrong kind.',
  duplicate_item: 'The same line, or the same file for the same subject, stood in the input before.',
  file_missing: 'The archive has no such file.',
  file_unreadable: 'The file is damaged or encrypted.',
  file_too_large: 'The file unpacks to more than 10 MB.',
} as const;

export type ItemRefusal = keyof typeof ITEM_REFUSALS;

/** Why an item failed: faults of ours. */
export const ITEM_FAILURES = {
  internal_error: 'The item failed three times; the log says at what.',
  gave_up: 'Whatever worked on the item died, again and again.',
} as const;

export type ItemFailure = keyof typeof ITEM_FAILURES;

export class InputRefused extends Error {
  override readonly name = 'InputRefused';

  constructor(readonly code: InputRefusal) {
    super(INPUT_REFUSALS[code]);
  }
}
