export const AUDIT_EVENT_TYPES = [
  'client.created',
  'client.disabled',
  'client.secret_rotated',
  'token.issued',
  'token.refused',
  'token.revoked',
  'subject.registered',
  'subject.erased',
  'entries.forgotten',
  'notice.published',
  'consent.granted',
  'consent.withdrawn',
  'consent.expired',
  'gallery.created',
  'gallery.destroyed',
  'key_set.created',
  'key_set.destroyed',
  'template.enrolled',
  'template.erased',
  'subject.verified',
  'gallery.identified',
  'gallery.deduplicated',
  'job.created',
  'job.cancelled',
  'job.ended',
  'webhook.created',
  'webhook.deleted',
  'webhook.disabled',
  'database.restored',
  'encryption_key.rotated',
  'record.facts_replaced',
  'record.assessed',
] as const;

export type AuditEventType = (typeof AUDIT_EVENT_TYPES)[number];

/** `match` and `no_match` are the outcomes of comparisons, `ok` that of everything else that was done. */
export const AUDIT_OUTCOMES = ['ok', 'match', 'no_match', 'refused'] as const;

export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];
