import { AuditLog } from '#audit/audit-log';
import type { ClientId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ClientNotFound } from './auth.errors.js';
import type { ClientCredentials } from './create-client.js';
import { Client } from './internal/client.entity.js';
import { SecretHashes } from './secret-hashes.js';

/** A new secret at once; the old one stops counting, tokens already issued run out by themselves. */
export class RotateClientSecret extends Command<ClientCredentials> {
  constructor(readonly clientId: ClientId) {
    super();
  }
}

@CommandHandler(RotateClientSecret)
export class RotateClientSecretHandler implements ICommandHandler<RotateClientSecret> {
  constructor(
    private readonly db: DataSource,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId }: RotateClientSecret): Promise<ClientCredentials> {
    const clientSecret = this.secrets.create();
    const secretHash = await this.secrets.hash(clientSecret);
    await this.db.transaction(async (tx) => {
      const { affected } = await tx.update(Client, { id: clientId }, { secretHash });
      if (affected === 0) throw new ClientNotFound();
      await this.audit.append(tx, { type: 'client.secret_rotated', outcome: 'ok', clientId });
    });
    return { clientId, clientSecret };
  }
}
