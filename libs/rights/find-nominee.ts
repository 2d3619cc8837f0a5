import { ConsentGate } from '#consent/consent-gate';
import type { ClientId, SubjectId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Nominee } from './internal/nominee.entity.js';
import { NomineeNotFound } from './rights.errors.js';

export interface NomineeView {
  readonly name: string;
  readonly contact: string;
  readonly relationship: string;
  readonly recordedAt: Date;
}

export class FindNominee extends Query<NomineeView> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@QueryHandler(FindNominee)
export class FindNomineeHandler implements IQueryHandler<FindNominee> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
  ) {}

  execute({ clientId, subjectId }: FindNominee): Promise<NomineeView> {
    return this.db.transaction(async (tx) => {
      await this.gate.requireSubject(tx, clientId, subjectId);
      const nominee = await tx.findOneBy(Nominee, { subjectId });
      if (nominee === null) throw new NomineeNotFound();
      const { name, contact, relationship, recordedAt } = nominee;
      return { name, contact, relationship, recordedAt };
    });
  }
}
