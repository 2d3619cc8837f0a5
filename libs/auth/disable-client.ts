import { AuditLog } from '#audit/audit-log';
import type { ClientId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, IsNull } from 'typeorm';
import { ClientNotFound } from './auth.errors.js';
import { Denylist } from './denylist.js';
import { Client } from './internal/client.entity.js';

/** No new tokens, and those already issued are refused from now on. */
export class DisableClient extends Command<void> {
  constructor(readonly clientId: ClientId) {
    super();
  }
}

@CommandHandler(DisableClient)
export class DisableClientHandler implements ICommandHandler<DisableClient> {
  constructor(
    private readonly db: DataSource,
    private readonly denylist: Denylist,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId }: DisableClient): Promise<void> {
    await this.db.transaction(async (tx) => {
      const { affected } = await tx.update(
        Client,
        { id: clientId, disabledAt: IsNull() },
        { disabledAt: new Date() },
      );
      if (affected === 1) await this.audit.append(tx, { type: 'client.disabled', outcome: 'ok', clientId });
      else if (!(await tx.existsBy(Client, { id: clientId }))) throw new ClientNotFound();
    });
    await this.denylist.denyClient(clientId);
  }
}
