import { AuditLog } from '#audit/audit-log';
import type { ClientId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, IsNull, Not } from 'typeorm';
import { Client } from './internal/client.entity.js';
import { SecretHashes } from './secret-hashes.js';

/** Why a client, or who has an old secret of it, is not let in any more. */
export type ShutOut =
  | { readonly as: 'disabled' }
  /** Undefined: nobody knows the newer secret, and one more rotation gives another. */
  | { readonly as: 'secret_rotated'; readonly secretHash: string | undefined };

/** What happened to a client after the backup that is restored; answers whether the backup has it otherwise. Nothing serves yet, so Redis is not told. */
export class ShutOutClient extends Command<boolean> {
  constructor(
    readonly clientId: ClientId,
    readonly shutOut: ShutOut,
  ) {
    super();
  }
}

@CommandHandler(ShutOutClient)
export class ShutOutClientHandler implements ICommandHandler<ShutOutClient> {
  constructor(
    private readonly db: DataSource,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, shutOut }: ShutOutClient): Promise<boolean> {
    if (shutOut.as === 'disabled') {
      return this.db.transaction(async (tx) => {
        const still = { id: clientId, disabledAt: IsNull() };
        const { affected } = await tx.update(Client, still, { disabledAt: new Date() });
        if (affected !== 1) return false;
        await this.audit.append(tx, { type: 'client.disabled', outcome: 'ok', clientId });
        return true;
      });
    }
    const secretHash = shutOut.secretHash ?? (await this.secrets.hash(this.secrets.create()));
    return this.db.transaction(async (tx) => {
      const older = { id: clientId, secretHash: Not(secretHash) };
      const { affected } = await tx.update(Client, older, { secretHash });
      if (affected !== 1) return false;
      await this.audit.append(tx, { type: 'client.secret_rotated', outcome: 'ok', clientId });
      return true;
    });
  }
}
