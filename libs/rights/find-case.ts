import type { CaseId, ClientId, OfficerId, SubjectId } from '#platform/ids';
import type { Right } from '#policy/policy-document';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type CaseState, isOpen } from './case-state.js';
import { CaseTransition } from './internal/case-transition.entity.js';
import { RightsCase } from './internal/rights-case.entity.js';
import { CaseNotFound } from './rights.errors.js';
import type { StepReason } from './step-reasons.js';

export interface CaseView {
  readonly id: CaseId;
  readonly clientId: ClientId;
  readonly subjectId: SubjectId;
  readonly kind: Right;
  readonly channel: string;
  readonly purpose: string | null;
  readonly jurisdiction: string;
  readonly policyRevision: number;
  readonly state: CaseState;
  readonly openedAt: Date;
  readonly dueAt: Date;
  readonly overdue: boolean;
  /** What the person wrote. */
  readonly text: string | null;
  readonly answer: string | null;
}

export interface TransitionView {
  readonly state: CaseState;
  readonly reason: StepReason | null;
  readonly article: string | null;
  readonly dueAt: Date;
  readonly clientId: ClientId | null;
  readonly officerId: OfficerId | null;
  readonly at: Date;
}

export interface WholeCase extends CaseView {
  readonly transitions: readonly TransitionView[];
}

/** `clientId`: whose it must be; undefined for officers. */
export class FindCase extends Query<WholeCase> {
  constructor(
    readonly caseId: CaseId,
    readonly clientId: ClientId | undefined,
  ) {
    super();
  }
}

@QueryHandler(FindCase)
export class FindCaseHandler implements IQueryHandler<FindCase> {
  constructor(private readonly db: DataSource) {}

  async execute({ caseId, clientId }: FindCase): Promise<WholeCase> {
    const where = { id: caseId, ...(clientId === undefined ? {} : { clientId }) };
    const found = await this.db.manager.findOneBy(RightsCase, where);
    if (found === null) throw new CaseNotFound();
    const transitions = await this.db.manager.find(CaseTransition, {
      where: { caseId },
      order: { id: 'ASC' },
    });
    return { ...showCase(found), transitions: transitions.map(showTransition) };
  }
}

export function showCase({ request, ...found }: RightsCase): CaseView {
  return { ...found, overdue: isOpen(found.state) && found.dueAt <= new Date(), text: request };
}

function showTransition(transition: CaseTransition): TransitionView {
  const { state, reason, article, dueAt, clientId, officerId, at } = transition;
  return { state, reason, article, dueAt, clientId, officerId, at };
}
