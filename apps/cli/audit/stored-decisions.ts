/** A kind of decision that leaves a row, and the rows that no entry of the audit log accounts for. */
export interface StoredDecision {
  readonly decision: string;
  /** Answers `what`: what the row is about, by id. */
  readonly missing: string;
}

/**
 * Rows are written in the transaction of their entry, so a row without one is a decision that was not recorded, or whose
 * record was removed. What is about somebody who is erased has no entries any more: there the record of the erasure counts.
 */
export const STORED_DECISIONS: readonly StoredDecision[] = [
  {
    decision: 'a client was created',
    missing: `SELECT c.id AS what FROM client c WHERE ${none("e.client_id = c.id AND e.type = 'client.created'")}`,
  },
  {
    decision: 'a client was disabled',
    missing: `SELECT c.id AS what FROM client c WHERE c.disabled_at IS NOT NULL
      AND ${none("e.client_id = c.id AND e.type = 'client.disabled'")}`,
  },
  {
    decision: 'a token was revoked',
    missing: `SELECT r.jti AS what FROM revoked_token r
      WHERE ${none("e.client_id = r.client_id AND e.type = 'token.revoked' AND e.details->>'jti' = r.jti::text")}`,
  },
  {
    decision: 'a notice was published',
    missing: `SELECT n.id AS what FROM notice n
      WHERE ${none("e.client_id = n.client_id AND e.type = 'notice.published' AND e.details->>'noticeId' = n.id::text")}`,
  },
  {
    decision: 'a subject was registered',
    missing: `SELECT s.id AS what FROM subject s WHERE s.erased_at IS NULL
      AND ${none("e.subject_id = s.id AND e.type = 'subject.registered'")}`,
  },
  {
    decision: 'a subject was erased',
    missing: `SELECT s.id AS what FROM subject s WHERE s.erased_at IS NOT NULL
      AND ${none("e.subject_id = s.id AND e.type = 'subject.erased' AND e.outcome = 'ok'")}`,
  },
  {
    decision: 'a consent was given, renewed, refused, withdrawn or ran out',
    missing: `SELECT f.id AS what FROM consent_fact f JOIN consent c ON c.id = f.consent_id
        JOIN subject s ON s.id = c.subject_id WHERE s.erased_at IS NULL
      AND ${none("e.subject_id = s.id AND e.outcome = 'ok' AND e.type = 'consent.' || f.kind AND e.details->>'consentId' = c.id::text")}`,
  },
  {
    decision: 'a gallery was created',
    missing: `SELECT g.id AS what FROM gallery g WHERE ${none("e.gallery_id = g.id AND e.type = 'gallery.created'")}`,
  },
  {
    decision: 'a template was enrolled',
    missing: `SELECT t.id AS what FROM template t
      WHERE ${none("e.subject_id = t.subject_id AND e.type = 'template.enrolled' AND e.details->>'templateId' = t.id::text")}`,
  },
  {
    decision: 'a hold was placed',
    missing: `SELECT h.id AS what FROM legal_hold h JOIN subject s ON s.id = h.subject_id
      WHERE (s.erased_at IS NULL OR EXISTS (SELECT FROM destruction d WHERE d.subject_id = s.id AND d.destroyed_at IS NULL))
      AND ${none("e.subject_id = h.subject_id AND e.type = 'hold.placed' AND e.details->>'holdId' = h.id::text")}`,
  },
  {
    decision: 'data whose date had come was destroyed',
    missing: `SELECT d.id AS what FROM destruction d JOIN subject s ON s.id = d.subject_id
      WHERE d.destroyed_at IS NOT NULL AND (d.consent_id IS NULL OR s.erased_at IS NULL)
      AND ${none("e.client_id = d.client_id AND e.type = 'data.destroyed' AND e.details->>'destructionId' = d.id::text")}`,
  },
  {
    decision: 'a step of an incident was taken',
    missing: `SELECT t.id AS what FROM incident_transition t
      WHERE ${none(
        `e.type = CASE t.step WHEN 'open' THEN 'incident.opened' WHEN 'assess' THEN 'incident.assessed'
           WHEN 'contain' THEN 'incident.contained' ELSE 'incident.closed' END
         AND e.outcome = 'ok' AND e.details->>'incidentId' = t.incident_id::text`,
      )}`,
  },
  {
    decision: 'a notification of an incident was recorded',
    missing: `SELECT d.id AS what FROM incident_duty d WHERE d.met_at IS NOT NULL
      AND ${none("e.type = 'incident.duty_met' AND e.details->>'dutyId' = d.id::text")}`,
  },
  {
    decision: 'an assessment was recorded',
    missing: `SELECT a.id AS what FROM record_assessment a
      WHERE ${none("e.type = 'record.assessed' AND e.details->>'assessmentId' = a.id::text")}`,
  },
  {
    decision: 'a webhook was created',
    missing: `SELECT w.id AS what FROM webhook w
      WHERE ${none("e.client_id = w.client_id AND e.type = 'webhook.created' AND e.details->>'webhookId' = w.id::text")}`,
  },
  {
    decision: 'a job was started',
    missing: `SELECT j.id AS what FROM job j
      WHERE ${none("e.gallery_id = j.gallery_id AND e.type = 'job.created' AND e.details->>'jobId' = j.id::text")}`,
  },
  {
    decision: 'a job was cancelled or ended',
    missing: `SELECT j.id AS what FROM job j WHERE j.state IN ('cancelled', 'ended', 'failed')
      AND ${none("e.gallery_id = j.gallery_id AND e.type IN ('job.cancelled', 'job.ended') AND e.details->>'jobId' = j.id::text")}`,
  },
  {
    // One entry for each item that named nobody; no erasure takes them.
    decision: 'items of a bulk identification were answered with nobody',
    missing: `SELECT j.id AS what FROM job j WHERE j.type = 'identify' AND
        (SELECT count(*) FROM job_item i WHERE i.job_id = j.id
           AND i.state = 'done' AND i.result->'candidates' = '[]')
        > (SELECT count(*) FROM audit_event e WHERE e.gallery_id = j.gallery_id AND e.type = 'gallery.identified'
           AND e.outcome = 'no_match' AND e.request_id = 'job-' || j.id)`,
  },
  {
    decision: 'items of a bulk identification named a subject',
    missing: `SELECT DISTINCT j.id AS what FROM job j JOIN job_item i ON i.job_id = j.id AND i.state = 'done'
        CROSS JOIN LATERAL jsonb_array_elements(i.result->'candidates') AS candidate
        JOIN subject s ON s.id = (candidate->>'subjectId')::uuid AND s.erased_at IS NULL
      WHERE j.type = 'identify' AND ${none("e.subject_id = s.id AND e.type = 'gallery.identified' AND e.outcome = 'match' AND e.request_id = 'job-' || j.id")}`,
  },
  {
    // Not a decision: the entry of one, that nobody can prove.
    decision: 'an entry was written, and has no leaf and waits for none',
    missing: `SELECT e.id AS what FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id
        LEFT JOIN audit_pending p ON p.event_id = e.id WHERE l.event_id IS NULL AND p.event_id IS NULL
        -- Entries of before that the worker has yet to queue.
        AND NOT EXISTS (SELECT FROM audit_past a WHERE e.id > a.queued AND e.id <= a.last)`,
  },
  {
    decision: 'an entry waits for its leaf for more than a minute',
    missing: `SELECT coalesce(event_id::text, n::text) AS what FROM audit_pending
      WHERE queued_at < clock_timestamp() - interval '1 minute'`,
  },
];

function none(condition: string): string {
  return `NOT EXISTS (SELECT FROM audit_event e WHERE ${condition})`;
}
