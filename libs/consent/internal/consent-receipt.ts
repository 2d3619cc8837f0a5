import type { NoticeId } from '#platform/ids';
import type { Policy } from '#policy/policies';
import { retentionFor } from '#policy/retention-rules';
import type { ConsentFact, ConsentFactKind } from './consent-fact.entity.js';
import { consentState } from './consent-state.js';
import type { Consent } from './consent.entity.js';
import type { Notice } from './notice.entity.js';

interface Recorded {
  readonly consent: Consent;
  readonly facts: readonly ConsentFact[];
  readonly notices: ReadonlyMap<NoticeId, Notice>;
  readonly policy: Policy;
  /** The client's name. */
  readonly controller: string;
  readonly now: Date;
}

const STATE_AFTER: Readonly<Record<ConsentFactKind, string>> = {
  granted: 'active',
  renewed: 'active',
  refused: 'refused',
  withdrawn: 'withdrawn',
  expired: 'expired',
};

/**
 * A consent receipt with the sections and member names of ISO/IEC TS 27560:2023, clause 6: header, PII processing, party
 * identification, events. No name, no address: the person is an id that the client can resolve.
 */
export function writeReceipt({ consent, facts, notices, policy, controller, now }: Recorded): object {
  const { document } = policy;
  const { afterEnd, afterErasureRequest } = retentionFor(document.retention, consent.purpose);
  const noticeOf = (id: NoticeId | null): object | null => {
    const notice = notices.get(id ?? consent.noticeId);
    if (notice === undefined) return null;
    const { language, version, format, hash } = notice;
    return { notice_id: notice.id, language, version, hash_format: format, hash: hash.toString('hex') };
  };
  return {
    schema_version: 'ISO/IEC TS 27560:2023',
    record_id: consent.id,
    pii_principal_id: consent.subjectId,
    pii_processing: [
      {
        privacy_notice: noticeOf(consent.noticeId),
        language: notices.get(consent.noticeId)?.language ?? null,
        purposes: [
          {
            purpose: consent.purpose,
            lawful_basis: 'consent',
            pii_information: [{ pii_type: 'face template', special_pii_category: 'biometric data' }],
            pii_controllers: [consent.clientId],
            processing_method: ['enrolment', 'verification', 'identification'],
            retention_period: {
              after_end: afterEnd.value,
              after_erasure_request: afterErasureRequest.value,
              source: afterEnd.source,
            },
            jurisdiction: { code: policy.jurisdiction, law: document.law, revision: policy.revision },
            withdrawal_method: `One call of the controller: POST /v1/consents/${consent.id}/withdraw`,
            privacy_rights: Object.keys(document.rights),
          },
        ],
      },
    ],
    party_identification: [
      { party_id: consent.clientId, party_name: controller, party_role: 'pii_controller' },
    ],
    state: consentState(consent, now),
    valid_until: consent.expiresAt?.toISOString() ?? null,
    events: facts.map((fact) => ({
      event_type: fact.kind,
      event_state: STATE_AFTER[fact.kind],
      event_time: fact.at.toISOString(),
      valid_until: fact.expiresAt?.toISOString() ?? null,
      privacy_notice: noticeOf(fact.noticeId),
      ...(fact.method && { method: fact.method }),
      ...(fact.evidenceHash && { evidence_hash: fact.evidenceHash.toString('hex') }),
      ...(fact.guardianRelationship && {
        guardian: { relationship: fact.guardianRelationship, verified_by: fact.guardianVerifiedBy },
      }),
    })),
  };
}
