/** An answer of the API as its log has it: no person, no address. */
export interface LoggedAnswer {
  readonly requestId: string;
  readonly at: string;
  readonly route: string;
  readonly status: number;
  /** Whether an entry must have been written for it. */
  readonly decided: boolean;
  /** 16 bytes in hex of the commitment of each entry that was. */
  readonly receipts: readonly string[];
}

const COMPARISONS = [
  'POST /v1/galleries/:galleryId/subjects/:subjectId/verify',
  'POST /v1/galleries/:galleryId/identify',
  'POST /v1/galleries/:galleryId/subjects/:subjectId/templates',
];

/** Refused before anything was decided about a face. */
const BEFORE = new Set([
  'unauthenticated',
  'insufficient_scope',
  'rate_limited',
  'invalid_request',
  'malformed_body',
  'body_too_large',
  'image_too_large',
  'unsupported_media_type',
  'gallery_not_found',
  'idempotency_key_invalid',
  'idempotency_key_reused',
]);

/** Done, whenever these succeed. Of the others some change nothing when they are repeated. */
const CHANGES = [
  'POST /v1/subjects',
  'DELETE /v1/subjects/:subjectId',
  'POST /v1/notices',
  'POST /v1/consents',
  'POST /v1/consents/:consentId/renew',
  'POST /v1/consent-refusals',
  'POST /v1/galleries',
  'DELETE /v1/galleries/:galleryId',
  'DELETE /v1/galleries/:galleryId/subjects/:subjectId/templates/:templateId',
  'POST /v1/galleries/:galleryId/jobs',
  'POST /v1/webhooks',
  'DELETE /v1/webhooks/:webhookId',
  'POST /v1/admin/holds',
  'PUT /v1/admin/records/facts',
  'POST /v1/admin/records/assessments',
];

/** Of a line of any log: undefined where it is not about an answer. A prefix such as that of `docker logs` may stand before. */
export function loggedAnswer(line: string): LoggedAnswer | undefined {
  const parsed = parse(line.slice(Math.max(0, line.indexOf('{'))));
  // Docker's own files have the line as the member of an object.
  const entry = typeof parsed?.['log'] === 'string' ? parse(parsed['log']) : parsed;
  if (entry?.['message'] !== 'answered' || typeof entry['route'] !== 'string') return undefined;
  const { method, route, status, code, replayed, receipts, requestId, timestamp } = entry;
  const call = `${String(method)} ${route}`;
  const answered = Number(status);
  return {
    requestId: String(requestId),
    at: String(timestamp ?? entry['@timestamp']),
    route: call,
    status: answered,
    decided: replayed !== true && isDecision(call, answered, typeof code === 'string' ? code : undefined),
    receipts: typeof receipts === 'string' ? receipts.split(' ') : [],
  };
}

function isDecision(call: string, status: number, code: string | undefined): boolean {
  if (call === 'POST /oauth/token')
    return status === 200 || code === 'invalid_client' || code === 'invalid_scope';
  if (COMPARISONS.includes(call))
    return status < 300 || (status < 500 && code !== undefined && !BEFORE.has(code));
  return CHANGES.includes(call) && status < 300;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
