import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Fact } from './internal/fact-sheet.js';
import { FactStore } from './internal/fact-store.js';

export type RecordFact = Fact;

/** What people have said for the records. */
export class ListFacts extends Query<readonly RecordFact[]> {}

@QueryHandler(ListFacts)
export class ListFactsHandler implements IQueryHandler<ListFacts> {
  constructor(
    private readonly db: DataSource,
    private readonly facts: FactStore,
  ) {}

  execute(): Promise<readonly RecordFact[]> {
    return this.facts.all(this.db.manager);
  }
}
