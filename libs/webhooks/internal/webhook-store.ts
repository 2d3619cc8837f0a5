import type { Config } from '#platform/config';
import type { ClientId, WebhookId } from '#platform/ids';
import type { Keyring } from '#platform/keyring';
import { CONFIG } from '#platform/platform.module';
import { SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { WebhookView } from '../webhook.js';
import { WebhookNotFound } from '../webhooks.errors.js';

export interface WebhookRow {
  readonly id: WebhookId;
  readonly client_id: ClientId;
  readonly url: Buffer;
  readonly secret: Buffer;
  readonly description: string | null;
  readonly created_at: Date;
  readonly disabled_at: Date | null;
}

/** The table `webhook`; address and secret are encrypted, each for its row and column. */
@Injectable()
export class WebhookStore {
  private readonly keyring: Keyring;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) config: Config,
    values: SealedValues,
  ) {
    this.keyring = config.secrets.dbEncryptionKeys;
    values.ownText('webhook.url', db, (id) => contextOf(id, 'url'));
    values.ownText('webhook.secret', db, (id) => contextOf(id, 'secret'));
  }

  /** The client's webhook; another client's is as unknown as one that does not exist. */
  async require(clientId: ClientId, webhookId: WebhookId): Promise<WebhookRow> {
    return this.found(this.db.manager, clientId, webhookId, '');
  }

  /** The same; until `tx` ends it is neither deleted nor disabled. */
  async hold(tx: EntityManager, clientId: ClientId, webhookId: WebhookId): Promise<WebhookRow> {
    return this.found(tx, clientId, webhookId, 'FOR SHARE');
  }

  seal(id: WebhookId, column: 'url' | 'secret', text: string): Buffer {
    return this.keyring.encrypt(Buffer.from(text), contextOf(id, column));
  }

  open({ id, ...row }: Pick<WebhookRow, 'id' | 'url' | 'secret'>, column: 'url' | 'secret'): string {
    return this.keyring.decrypt(row[column], contextOf(id, column)).toString();
  }

  show(row: WebhookRow): WebhookView {
    const { id, description, created_at: createdAt, disabled_at: disabledAt } = row;
    const state = disabledAt === null ? 'active' : 'disabled';
    return { id, url: this.open(row, 'url'), description, state, createdAt };
  }

  private async found(
    tx: EntityManager,
    clientId: ClientId,
    webhookId: WebhookId,
    lock: '' | 'FOR SHARE',
  ): Promise<WebhookRow> {
    const [webhook] = await tx.query<WebhookRow[]>(
      `SELECT * FROM webhook WHERE id = $1 AND client_id = $2 ${lock}`,
      [webhookId, clientId],
    );
    if (webhook === undefined) throw new WebhookNotFound();
    return webhook;
  }
}

function contextOf(id: string, column: string): string {
  return `webhook.${column} ${id}`;
}
