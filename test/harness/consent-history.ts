import type { Json } from './test-client.js';

export const KINDS = [
  'arrive',
  'grant',
  'renew',
  'withdraw',
  'enrol',
  'verify',
  'identify',
  'eraseTemplate',
  'eraseSubject',
  'restrict',
  'lift',
] as const;
export type Kind = (typeof KINDS)[number];

/** A request and its answer, by the clock of the machine that all run on. */
export interface Call {
  readonly kind: Kind;
  readonly requestId: string;
  readonly begun: number;
  readonly ended: number;
  readonly status: number;
  readonly body: Json;
  /** Whom it is about; of an identification, whose face it showed. */
  readonly subjectId: string;
  readonly consentId?: string;
  readonly templateId?: string;
  /** Of the request that restricts. */
  readonly caseId?: string;
  readonly expiresAt?: number;
}

export interface EnrolledUnder {
  readonly templateId: string;
  readonly consentId: string;
}

/** What clients were answered, and what follows from it for every match, whatever came at the same time. */
export class ConsentHistory {
  readonly calls: Call[] = [];
  /** Of each template, as its audit record says. */
  private readonly consentOf = new Map<string, string>();

  learn(enrolled: readonly EnrolledUnder[]): void {
    for (const { templateId, consentId } of enrolled) this.consentOf.set(templateId, consentId);
  }

  done(kind: Kind, subjectId: string): readonly Call[] {
    return this.calls.filter(
      (call) => call.kind === kind && call.subjectId === subjectId && call.status < 300,
    );
  }

  /** Whether the answer of a match that named the subject can be right. */
  mayName(subjectId: string, call: Call): boolean {
    if (this.restrictedDuring(subjectId, call)) return false;
    const { begun, ended } = call;
    return this.done('enrol', subjectId).some((enrolment) => {
      if (enrolment.begun > ended || this.erasures(enrolment).some((end) => end.ended < begun)) return false;
      // The record of who was erased meanwhile does not tell any more under which consent it was.
      const consentId = this.consentOf.get(enrolment.body.id);
      const grants = this.done('grant', subjectId);
      return grants
        .filter(({ body }) => consentId === undefined || body.id === consentId)
        .some(
          (grant) =>
            this.terms(grant).some(
              (term) =>
                term.begun <= ended &&
                (term.expiresAt === undefined || term.expiresAt >= begun) &&
                !this.terms(grant).some((later) => later.begun > term.ended && later.ended < begun),
            ) && !this.endings(grant).some((end) => end.ended < begun),
        );
    });
  }

  /** Whether such an answer is wrong unless it names the subject. */
  mustName(subjectId: string, { begun, ended }: Call): boolean {
    const restrictions = this.done('restrict', subjectId).filter((each) => each.begun <= ended);
    if (restrictions.some((each) => !this.lifts(each).some((lift) => lift.ended < begun))) return false;
    return this.done('enrol', subjectId).some(
      (enrolment) => enrolment.ended < begun && this.standsUntil(enrolment, ended),
    );
  }

  /** Whether the subject's processing was restricted from before a call to its end. */
  restrictedDuring(subjectId: string, { begun, ended }: Call): boolean {
    return this.done('restrict', subjectId).some(
      (each) => each.ended < begun && !this.lifts(each).some((lift) => lift.begun <= ended),
    );
  }

  /** A restriction that nobody has asked to lift. */
  restriction(subjectId: string): Call | undefined {
    return this.done('restrict', subjectId).find((each) => this.lifts(each).length === 0);
  }

  /** Templates that must be there now, where nothing is under way. */
  standing(): readonly string[] {
    const now = Date.now();
    return this.calls
      .filter((call) => call.kind === 'enrol' && call.status < 300 && this.standsUntil(call, now))
      .map(({ body }) => body.id);
  }

  /** Consents whose end was answered, by a withdrawal or by the erasure of who gave them. */
  endedConsents(): readonly string[] {
    const grants = this.calls.filter(({ kind, status }) => kind === 'grant' && status < 300);
    return grants.filter((grant) => this.endings(grant).length > 0).map(({ body }) => body.id);
  }

  /** Whether nothing that could end it had been begun by then. */
  private standsUntil(enrolment: Call, at: number): boolean {
    const { body, subjectId } = enrolment;
    const consentId = this.consentOf.get(body.id);
    const grant = this.done('grant', subjectId).find((each) => each.body.id === consentId);
    if (grant === undefined) return false;
    const ends = [...this.erasures(enrolment), ...this.endings(grant)];
    const terms = this.terms(grant);
    const ranOut = ({ ended, expiresAt }: Call): boolean =>
      expiresAt !== undefined &&
      expiresAt <= at + 1 &&
      !terms.some((later) => later.begun > ended && later.ended < expiresAt);
    return !ends.some(({ begun }) => begun <= at) && !terms.some((term) => term.begun <= at && ranOut(term));
  }

  /** The calls that said until when a consent lasts: one that began after another had ended replaced it. */
  private terms(grant: Call): readonly Call[] {
    const renewals = this.done('renew', grant.subjectId);
    return [grant, ...renewals.filter(({ consentId }) => consentId === grant.body.id)];
  }

  /** The calls that ended a consent. */
  private endings({ body, subjectId }: Call): readonly Call[] {
    const withdrawn = this.done('withdraw', subjectId).filter(({ consentId }) => consentId === body.id);
    return [...withdrawn, ...this.done('eraseSubject', subjectId)];
  }

  private lifts({ body, subjectId }: Call): readonly Call[] {
    return this.done('lift', subjectId).filter(({ caseId }) => caseId === body.id);
  }

  private erasures({ body, subjectId }: Call): readonly Call[] {
    const erased = this.done('eraseTemplate', subjectId).filter(({ templateId }) => templateId === body.id);
    return [...erased, ...this.done('eraseSubject', subjectId)];
  }
}
