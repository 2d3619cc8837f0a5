import type { ClientId, ConsentId, NoticeId, SubjectId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ConsentNotFound } from './consent.errors.js';
import { standing } from './internal/consent-standing.js';
import { type ConsentState, consentState } from './internal/consent-state.js';
import { Consent } from './internal/consent.entity.js';

export interface ConsentView {
  readonly id: ConsentId;
  readonly subjectId: SubjectId;
  readonly purpose: string;
  readonly noticeId: NoticeId;
  readonly state: ConsentState;
  readonly grantedAt: Date;
  readonly expiresAt: Date | null;
  readonly endedAt: Date | null;
}

export class FindConsent extends Query<ConsentView> {
  constructor(
    readonly clientId: ClientId,
    readonly consentId: ConsentId,
  ) {
    super();
  }
}

@QueryHandler(FindConsent)
export class FindConsentHandler implements IQueryHandler<FindConsent> {
  constructor(private readonly db: DataSource) {}

  async execute({ clientId, consentId }: FindConsent): Promise<ConsentView> {
    const tx = this.db.manager;
    const [consent] = await standing(tx, await tx.findBy(Consent, { id: consentId, clientId }));
    if (consent === undefined) throw new ConsentNotFound();
    return showConsent(consent);
  }
}

/** Of a consent as it stands. */
export function showConsent(consent: Consent): ConsentView {
  const { id, subjectId, purpose, noticeId, grantedAt, expiresAt, endedAt } = consent;
  const state = consentState(consent, new Date());
  return { id, subjectId, purpose, noticeId, state, grantedAt, expiresAt, endedAt };
}
