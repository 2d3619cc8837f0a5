import type { ClientId, NoticeId, SubjectId } from '#platform/ids';
import { Policies } from '#policy/policies';
import type { PolicyDocument } from '#policy/policy-document';
import { after } from '#policy/duration';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Evidence } from '../consent-evidence.js';
import {
  ConsentExpiryInPast,
  ConsentMethodRequired,
  EvidenceInFuture,
  GuardianRequired,
  NoticeForAnotherJurisdiction,
  NoticeForAnotherPurpose,
  NoticeIncomplete,
  NoticeNotFound,
  NoticeOutdated,
  WrittenReleaseRequired,
} from '../consent.errors.js';
import { missingItems } from '../notice-items.js';
import { comesOfAge, guardianLacks } from './coming-of-age.js';
import type { Terms } from './consent-ledger.js';
import { Notice } from './notice.entity.js';
import { Renewals } from './renewals.js';
import { Subject } from './subject.entity.js';

/** Clocks of clients differ. */
const CLOCK_SKEW_MS = 60_000;

export interface Decision {
  readonly clientId: ClientId;
  readonly subjectId: SubjectId;
  readonly purpose: string;
  readonly noticeId: NoticeId;
  readonly expiresAt?: Date | undefined;
  readonly evidence?: Evidence | undefined;
}

/** What grants and renewals have in common: whether a consent may be given so, and until when it lasts. */
@Injectable()
export class ConsentTerms {
  constructor(
    private readonly policies: Policies,
    private readonly renewals: Renewals,
  ) {}

  /** Throws if the law of the subject's jurisdiction, or the notice, does not permit it. */
  async settle(tx: EntityManager, decision: Decision, now: Date): Promise<Terms> {
    const { subjectId, evidence, expiresAt } = decision;
    if (expiresAt !== undefined && expiresAt <= now) throw new ConsentExpiryInPast();
    const subject = await tx.findOneByOrFail(Subject, { id: subjectId });
    const notice = await this.requireNotice(tx, decision, subject);
    const at = decidedAt(evidence, now);
    const { document } = await this.policies.current(tx, subject.jurisdiction);
    requireItems(document, notice);
    const { form, longest } = document.consent;
    if (form.value === 'written_release' && !isWritten(evidence)) throw new WrittenReleaseRequired();
    const adultFrom = comesOfAge(subject.adultFrom, now);
    if (adultFrom !== undefined) requireGuardian(document, evidence);
    if (form.value === 'explicit' && evidence === undefined) throw methodRequired(document);
    const renewBy = await this.renewals.limit(tx, notice, subject.jurisdiction);
    if (renewBy !== null && renewBy <= now) throw new NoticeOutdated();
    const ends = earliest([
      expiresAt,
      longest.value === null ? undefined : after(at, longest.value),
      adultFrom,
      renewBy ?? undefined,
    ]);
    if (ends !== null && ends <= now) throw new ConsentExpiryInPast();
    return { at, expiresAt: ends };
  }

  /** The same for somebody who says no, which needs no form. */
  async refusal(tx: EntityManager, decision: Decision, now: Date): Promise<Terms> {
    const subject = await tx.findOneByOrFail(Subject, { id: decision.subjectId });
    await this.requireNotice(tx, decision, subject);
    return { at: decidedAt(decision.evidence, now), expiresAt: null };
  }

  private async requireNotice(tx: EntityManager, decision: Decision, subject: Subject): Promise<Notice> {
    const { clientId, noticeId, purpose } = decision;
    const notice = await tx.findOneBy(Notice, { id: noticeId, clientId });
    if (notice === null) throw new NoticeNotFound();
    if (notice.purpose !== purpose) throw new NoticeForAnotherPurpose();
    if (notice.jurisdiction !== null && notice.jurisdiction !== subject.jurisdiction)
      throw new NoticeForAnotherJurisdiction();
    return notice;
  }
}

/** A notice that names no jurisdiction was not checked when it was published, and policies have revisions. */
function requireItems(document: PolicyDocument, { items }: Notice): void {
  const missing = missingItems(document, items);
  if (missing.length === 0) return;
  const message = `lacks ${missing.join(', ')}, which ${document.code} asks for`;
  throw new NoticeIncomplete([{ field: 'noticeId', message }]);
}

/** GDPR Art. 7(1): an explicit consent is one of which it can be shown how it was given. */
function methodRequired({ code }: PolicyDocument): ConsentMethodRequired {
  return new ConsentMethodRequired([{ field: 'evidence.method', message: `${code} asks for it` }]);
}

function decidedAt(evidence: Evidence | undefined, now: Date): Date {
  const { at = now } = evidence ?? {};
  if (at.getTime() > now.getTime() + CLOCK_SKEW_MS) throw new EvidenceInFuture();
  return at < now ? at : now;
}

/** 740 ILCS 14/10: a release is written; an electronic signature is one. */
function isWritten(evidence: Evidence | undefined): boolean {
  return evidence?.method === 'written_release' || evidence?.method === 'signature';
}

function requireGuardian(document: PolicyDocument, evidence: Evidence | undefined): void {
  const lacks = guardianLacks(document, evidence?.guardian);
  if (lacks === 'guardian') {
    const message = 'a minor consents through a guardian';
    throw new GuardianRequired([{ field: 'evidence.guardian', message }]);
  }
  if (lacks === 'verification') {
    const message = 'how the guardian was verified has to be named';
    throw new GuardianRequired([{ field: 'evidence.guardian.verifiedBy', message }]);
  }
}

function earliest(times: readonly (Date | undefined)[]): Date | null {
  const known = times.flatMap((time) => (time === undefined ? [] : [time.getTime()]));
  return known.length === 0 ? null : new Date(Math.min(...known));
}
