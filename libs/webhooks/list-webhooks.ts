import type { ClientId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type WebhookRow, WebhookStore } from './internal/webhook-store.js';
import type { WebhookView } from './webhook.js';

/** Oldest first. */
export class ListWebhooks extends Query<Page<WebhookView>> {
  constructor(
    readonly clientId: ClientId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@QueryHandler(ListWebhooks)
export class ListWebhooksHandler implements IQueryHandler<ListWebhooks> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
    private readonly webhooks: WebhookStore,
  ) {}

  async execute({ clientId, page }: ListWebhooks): Promise<Page<WebhookView>> {
    const list = `webhooks ${clientId}`;
    const after = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    const rows = await this.db.query<WebhookRow[]>(
      'SELECT * FROM webhook WHERE client_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3',
      [clientId, after, page.limit + 1],
    );
    return this.cursors.page(list, page, rows, (row) => this.webhooks.show(row));
  }
}
