import type { CaseId, ClientId, OfficerId, SubjectId } from '#platform/ids';
import type { Right } from '#policy/right-rules';
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
    const [shown = showCase(found)] = await shownTo(this.db, clientId, [showCase(found)]);
    return { ...shown, transitions: transitions.map(showTransition) };
  }
}

export function showCase({ request, ...found }: RightsCase): CaseView {
  return { ...found, overdue: isOpen(found.state) && found.dueAt <= new Date(), text: request };
}

/** A client reads nothing of what is held of somebody who was erased: docs/compliance/retention.md. */
export async function shownTo(
  db: DataSource,
  clientId: ClientId | undefined,
  cases: readonly CaseView[],
): Promise<readonly CaseView[]> {
  if (clientId === undefined) return cases;
  const rows = await db.query<{ id: SubjectId }[]>(
    'SELECT id FROM subject WHERE id = ANY($1) AND erased_at IS NOT NULL',
    [cases.map(({ subjectId }) => subjectId)],
  );
  const erased = new Set(rows.map(({ id }) => id));
  return cases.map((each) => (erased.has(each.subjectId) ? { ...each, text: null, answer: null } : each));
}

function showTransition(transition: CaseTransition): TransitionView {
  const { state, reason, article, dueAt, clientId, officerId, at } = transition;
  return { state, reason, article, dueAt, clientId, officerId, at };
}
