import { AuditLog } from '#audit/audit-log';
import { type ClientId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Client } from './internal/client.entity.js';
import type { Scope } from './scopes.js';
import { SecretHashes } from './secret-hashes.js';

export interface ClientCredentials {
  readonly clientId: ClientId;
  /** Shown this once: only its hash is kept. */
  readonly clientSecret: string;
}

export class CreateClient extends Command<ClientCredentials> {
  constructor(
    readonly name: string,
    readonly scopes: readonly Scope[],
  ) {
    super();
  }
}

@CommandHandler(CreateClient)
export class CreateClientHandler implements ICommandHandler<CreateClient> {
  constructor(
    private readonly db: DataSource,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  async execute({ name, scopes }: CreateClient): Promise<ClientCredentials> {
    const clientId = newId<'client'>();
    const clientSecret = this.secrets.create();
    const secretHash = await this.secrets.hash(clientSecret);
    await this.db.transaction(async (tx) => {
      await tx.insert(Client, { id: clientId, name, scopes: [...scopes], secretHash });
      const details = { scopes: scopes.join(' ') };
      await this.audit.append(tx, { type: 'client.created', outcome: 'ok', clientId, details });
    });
    return { clientId, clientSecret };
  }
}
