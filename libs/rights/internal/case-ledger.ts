import { AuditLog } from '#audit/audit-log';
import { SubjectNotFound } from '#consent/consent.errors';
import { ProcessingLimits } from '#consent/processing-limits';
import { type CaseId, type ClientId, newId } from '#platform/ids';
import { currentContext } from '#platform/request-context';
import { SealedValues } from '#platform/sealed-values';
import type { Right } from '#policy/right-rules';
import { WebhookOutbox } from '#webhooks/webhook-outbox';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type CaseStep, nextState, restricts } from '../case-state.js';
import { CaseNotFound, CaseOfAnotherKind, CaseStepImpossible } from '../rights.errors.js';
import type { StepReason } from '../step-reasons.js';
import { CaseTransition } from './case-transition.entity.js';
import { RightsCase } from './rights-case.entity.js';

export interface StepNote {
  readonly reason?: StepReason;
  readonly article?: string;
  readonly answer?: string;
  readonly dueAt?: Date;
}

interface HeldCase {
  readonly found: RightsCase;
  /** Of the person nothing is left that could be written to or restricted. */
  readonly erased: boolean;
}

/** What all steps of a case share: the row that tells of it, the restriction that goes with it, audit and webhook. */
@Injectable()
export class CaseLedger {
  constructor(
    private readonly db: DataSource,
    private readonly limits: ProcessingLimits,
    private readonly audit: AuditLog,
    private readonly webhooks: WebhookOutbox,
    values: SealedValues,
  ) {
    for (const column of [
      'rights_case.request',
      'rights_case.answer',
      'nominee.name',
      'nominee.contact',
    ] as const)
      values.ownText(column, db, () => column);
  }

  /**
   * Takes a step, with `further` in the same transaction; answers the case as it was before. `clientId`: whose case it must
   * be; undefined for officers.
   */
  step(
    caseId: CaseId,
    step: CaseStep,
    clientId: ClientId | undefined,
    further: (tx: EntityManager, held: HeldCase) => Promise<StepNote>,
  ): Promise<HeldCase> {
    const event = { type: 'case.advanced', details: { caseId, step } } as const;
    return this.audit.recordingRefusals(event, () =>
      this.db.transaction(async (tx) => {
        const held = await this.hold(tx, caseId, clientId);
        await this.take(tx, held, step, await further(tx, held));
        return held;
      }),
    );
  }

  /** The person before the case, as an erasure holds them. */
  async hold(tx: EntityManager, caseId: CaseId, clientId: ClientId | undefined): Promise<HeldCase> {
    const [subject] = await tx.query<{ erased: boolean }[]>(
      `SELECT s.erased_at IS NOT NULL AS erased FROM rights_case c JOIN subject s ON s.id = c.subject_id
       WHERE c.id = $1 AND ($2::uuid IS NULL OR c.client_id = $2) FOR UPDATE OF s`,
      [caseId, clientId ?? null],
    );
    if (subject === undefined) throw new CaseNotFound();
    const found = await tx.findOneOrFail(RightsCase, {
      where: { id: caseId },
      lock: { mode: 'pessimistic_write' },
    });
    return { found, erased: subject.erased };
  }

  /** Fulfils a case about a subject that the caller holds by what it asked for, done in the same transaction. */
  async fulfilBy(
    tx: EntityManager,
    caseId: CaseId,
    kind: Right,
    { clientId, subjectId }: Pick<RightsCase, 'clientId' | 'subjectId'>,
  ): Promise<void> {
    const held = await this.hold(tx, caseId, clientId);
    if (held.found.kind !== kind || held.found.subjectId !== subjectId) throw new CaseOfAnotherKind();
    await this.take(tx, held, 'fulfil', {});
  }

  /** Of a case that the caller holds. */
  async take(tx: EntityManager, { found, erased }: HeldCase, step: CaseStep, note: StepNote): Promise<void> {
    const { id, clientId, subjectId, kind } = found;
    const state = nextState(kind, found.state, step);
    if (state === undefined) throw new CaseStepImpossible();
    const { dueAt = found.dueAt, answer } = note;
    if (answer !== undefined && erased) throw new SubjectNotFound();
    const written = { state, ...(note.dueAt && { dueAt }), ...(answer !== undefined && { answer }) };
    await tx.update(RightsCase, { id }, written);
    await this.record(tx, { id, state, dueAt }, note);
    await this.audit.append(tx, {
      type: 'case.advanced',
      outcome: 'ok',
      // Of somebody who was erased nothing is recorded any more that names them.
      ...(erased ? {} : { subjectId }),
      details: {
        caseId: id,
        kind,
        step,
        state,
        ...(note.reason === undefined ? {} : { reason: note.reason }),
      },
    });
    await this.webhooks.announce(tx, clientId, {
      type: 'case.advanced',
      at: new Date(),
      data: { caseId: id, kind, state },
    });
    const lifts = restricts(kind, found.state) && !restricts(kind, state);
    if (lifts && !erased && !(await this.stillRestricted(tx, found))) {
      await this.limits.resume(tx, clientId, subjectId);
    }
  }

  /** The row that says where a case has come to, and who brought it there. */
  async record(
    tx: EntityManager,
    { id: caseId, state, dueAt }: Pick<RightsCase, 'id' | 'state' | 'dueAt'>,
    { reason, article }: StepNote,
  ): Promise<void> {
    const context = currentContext();
    await tx.insert(CaseTransition, {
      id: newId<'case-transition'>(),
      caseId,
      state,
      dueAt,
      reason: reason ?? null,
      article: article ?? null,
      clientId: context?.clientId ?? null,
      officerId: context?.officerId ?? null,
    });
  }

  private async stillRestricted(tx: EntityManager, { id, subjectId }: RightsCase): Promise<boolean> {
    const cases = await tx.findBy(RightsCase, { subjectId });
    return cases.some((each) => each.id !== id && restricts(each.kind, each.state));
  }
}
