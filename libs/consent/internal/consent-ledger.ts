import { currentContext } from '#platform/request-context';
import { type ClientId, newId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { AuditLog } from '#audit/audit-log';
import { Outbox } from '#platform/outbox';
import type { EntityManager } from 'typeorm';
import type { Evidence } from '../consent-evidence.js';
import { consentEnded } from '../consent.events.js';
import { ConsentFact, type ConsentFactKind } from './consent-fact.entity.js';
import { Consent } from './consent.entity.js';

/** Of what a person decided. */
export interface Terms {
  /** When. */
  readonly at: Date;
  readonly expiresAt: Date | null;
}

/** What all facts of consents share: the fact, the version that matchers follow, audit and message. */
@Injectable()
export class ConsentLedger {
  constructor(
    private readonly audit: AuditLog,
    private readonly outbox: Outbox,
  ) {}

  /** Takes the next version; holds the counter's row until `tx` ends, so that versions commit in their order. */
  async nextVersion(tx: EntityManager, clientId: ClientId, purpose: string): Promise<string> {
    const [row] = await tx.query<{ version: string }[]>(
      `INSERT INTO consent_version (client_id, purpose, version) VALUES ($1, $2, 1)
       ON CONFLICT (client_id, purpose) DO UPDATE SET version = consent_version.version + 1
       RETURNING version`,
      [clientId, purpose],
    );
    if (row === undefined) throw new Error('the consent version was not returned');
    return row.version;
  }

  /** `terms`: of what a person decided, and how that is known. */
  async recordFact(
    tx: EntityManager,
    consent: Consent,
    kind: ConsentFactKind,
    terms?: Terms & { readonly evidence?: Evidence | undefined },
  ): Promise<void> {
    const { method, evidenceHash, guardian } = terms?.evidence ?? {};
    await tx.insert(ConsentFact, {
      id: newId<'consent-fact'>(),
      consentId: consent.id,
      kind,
      ...(terms && { at: terms.at }),
      ipHash: currentContext()?.ipHash ?? null,
      noticeId: consent.noticeId,
      expiresAt: terms?.expiresAt ?? null,
      method: method ?? null,
      evidenceHash: evidenceHash === undefined ? null : Buffer.from(evidenceHash, 'hex'),
      guardianRelationship: guardian?.relationship ?? null,
      guardianVerifiedBy: guardian?.verifiedBy ?? null,
    });
    await this.audit.append(tx, {
      type: `consent.${kind}`,
      outcome: 'ok',
      clientId: consent.clientId,
      subjectId: consent.subjectId,
      details: {
        consentId: consent.id,
        noticeId: consent.noticeId,
        purpose: consent.purpose,
        ...(method && { method }),
        ...(guardian && { guardian: guardian.relationship }),
      },
    });
  }

  /** Ends an open consent that the caller holds locked. */
  async end(tx: EntityManager, consent: Consent, kind: 'withdrawn' | 'expired', at: Date): Promise<void> {
    const version = await this.nextVersion(tx, consent.clientId, consent.purpose);
    await tx.update(Consent, { id: consent.id }, { endedAt: at, version });
    await this.recordFact(tx, consent, kind);
    await this.outbox.add(tx, consentEnded(consent.id));
  }
}
