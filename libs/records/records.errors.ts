import { domainError } from '#platform/domain-error';

export class ReportSpanInvalid extends domainError({
  code: 'report_span_invalid',
  status: 422,
  title: 'The report would have no interval, or too many',
  detail: 'Let from be before to, and ask for at most 1,000 intervals: a longer interval, or a shorter span.',
}) {}

export const RECORD_ERRORS = [ReportSpanInvalid] as const;
