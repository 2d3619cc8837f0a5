import type { OfficerId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type OfficerRow, OfficerStore, scopesOf } from './internal/officer-store.js';
import type { OfficerScope } from './officer-scopes.js';

export interface OfficerView {
  readonly id: OfficerId;
  readonly name: string;
  readonly email: string;
  readonly scopes: readonly OfficerScope[];
  readonly state: 'invited' | 'active' | 'disabled';
}

export class ListOfficers extends Query<readonly OfficerView[]> {}

@QueryHandler(ListOfficers)
export class ListOfficersHandler implements IQueryHandler<ListOfficers> {
  constructor(
    private readonly db: DataSource,
    private readonly officers: OfficerStore,
  ) {}

  async execute(): Promise<readonly OfficerView[]> {
    const rows = await this.db.query<OfficerRow[]>('SELECT * FROM officer ORDER BY id');
    return rows.map((row) => ({
      id: row.id,
      name: this.officers.open(row, 'name') ?? '',
      email: this.officers.open(row, 'email') ?? '',
      scopes: scopesOf(row),
      state: row.disabled_at !== null ? 'disabled' : row.enrolled_at !== null ? 'active' : 'invited',
    }));
  }
}
