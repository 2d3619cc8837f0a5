import type { ClientId, SubjectId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource, IsNull } from 'typeorm';
import { SubjectNotFound } from './consent.errors.js';
import { Subject } from './internal/subject.entity.js';

export interface SubjectView {
  readonly id: SubjectId;
  readonly reference: string | null;
  readonly jurisdiction: string;
  readonly restrictedAt: Date | null;
  readonly adultFrom: string | null;
  readonly createdAt: Date;
}

export class FindSubject extends Query<SubjectView> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@QueryHandler(FindSubject)
export class FindSubjectHandler implements IQueryHandler<FindSubject> {
  constructor(private readonly db: DataSource) {}

  async execute({ clientId, subjectId }: FindSubject): Promise<SubjectView> {
    const subject = await this.db.manager.findOneBy(Subject, { id: subjectId, clientId, erasedAt: IsNull() });
    if (subject === null) throw new SubjectNotFound();
    return showSubject(subject);
  }
}

export function showSubject(subject: Subject): SubjectView {
  const { id, reference, jurisdiction, restrictedAt, adultFrom, createdAt } = subject;
  return { id, reference, jurisdiction, restrictedAt, adultFrom, createdAt };
}
