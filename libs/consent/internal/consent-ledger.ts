import { isIPv6 } from 'node:net';
import { currentContext } from '#platform/request-context';
import { type ClientId, newId } from '#platform/ids';
import { Inject, Injectable } from '@nestjs/common';
import { AuditLog } from '#audit/audit-log';
import { hashAddress } from '#platform/address-hash';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
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
  private readonly ipHashSalt: Buffer;

  constructor(
    private readonly audit: AuditLog,
    private readonly outbox: Outbox,
    @Inject(CONFIG) { secrets }: Config,
  ) {
    this.ipHashSalt = secrets.ipHashSalt;
  }

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
    const { method, evidenceHash, address, guardian } = terms?.evidence ?? {};
    await tx.insert(ConsentFact, {
      id: newId<'consent-fact'>(),
      consentId: consent.id,
      kind,
      ...(terms && { at: terms.at }),
      ipHash: currentContext()?.ipHash ?? null,
      personIpHash: address === undefined ? null : hashAddress(this.ipHashSalt, canonical(address)),
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

  /** Ends an open consent that the caller holds locked, as it stands. */
  async end(tx: EntityManager, consent: Consent, kind: 'withdrawn' | 'expired', at: Date): Promise<void> {
    const version = await this.nextVersion(tx, consent.clientId, consent.purpose);
    const { expiresAt } = consent;
    const ended = { endedAt: at, version, ...(kind === 'expired' && { expiresAt }) };
    await tx.update(Consent, { id: consent.id }, ended);
    await this.recordFact(tx, consent, kind);
    await this.outbox.add(tx, consentEnded(consent.id));
  }

  /** Ends one that would last longer: its time is up, and that is what its state says. */
  async cutShort(tx: EntityManager, consent: Consent, now: Date): Promise<void> {
    const { expiresAt } = consent;
    const cut = expiresAt === null || expiresAt > now ? { ...consent, expiresAt: now } : consent;
    await this.end(tx, cut, 'expired', now);
  }
}

/** One address has one hash, however it was written (RFC 5952); the name of an interface is no part of it. */
function canonical(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1) : address;
}
