import type { ClientId } from '#platform/ids';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Client } from './internal/client.entity.js';
import type { Scope } from './scopes.js';

export interface ClientView {
  readonly id: ClientId;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
}

export class ListClients extends Query<readonly ClientView[]> {}

@QueryHandler(ListClients)
export class ListClientsHandler implements IQueryHandler<ListClients> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<readonly ClientView[]> {
    const clients = await this.db.manager.find(Client, { order: { id: 'ASC' } });
    return clients.map(({ id, name, scopes, createdAt, disabledAt }) => ({
      id,
      name,
      scopes,
      createdAt,
      disabledAt,
    }));
  }
}
