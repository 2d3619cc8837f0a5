import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Policies, type Policy } from './policies.js';

export class ListJurisdictions extends Query<readonly Policy[]> {}

@QueryHandler(ListJurisdictions)
export class ListJurisdictionsHandler implements IQueryHandler<ListJurisdictions> {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
  ) {}

  execute(): Promise<readonly Policy[]> {
    return this.policies.all(this.db.manager);
  }
}
