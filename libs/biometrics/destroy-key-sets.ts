import { AuditLog } from '#audit/audit-log';
import { KeyCustodian } from '#custody/key-custodian';
import type { ClientId, GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

interface DecidedDestruction {
  readonly gallery_id: GalleryId;
  readonly client_id: ClientId;
  readonly details: Readonly<Record<string, string>>;
}

/**
 * Destroys the keys of galleries whose end was decided, of one or of all; answers how many. Cut off anywhere it is done again:
 * the decision stays until the keys are gone, and its end is recorded once. One that fails keeps none of the others, and is
 * thrown at the end.
 */
export class DestroyKeySets extends Command<number> {
  constructor(readonly galleryId?: GalleryId) {
    super();
  }
}

@CommandHandler(DestroyKeySets)
export class DestroyKeySetsHandler implements ICommandHandler<DestroyKeySets> {
  constructor(
    private readonly db: DataSource,
    private readonly custodian: KeyCustodian,
    private readonly audit: AuditLog,
  ) {}

  async execute({ galleryId }: DestroyKeySets): Promise<number> {
    const decided = await this.db.query<DecidedDestruction[]>(
      // A gallery that is there was not destroyed, whoever decided it: both are of one transaction.
      `SELECT gallery_id, client_id, details FROM key_set_destruction d
       WHERE ($1::uuid IS NULL OR gallery_id = $1) AND NOT EXISTS (SELECT FROM gallery g WHERE g.id = d.gallery_id)
       ORDER BY decided_at`,
      [galleryId ?? null],
    );
    const failures: unknown[] = [];
    for (const destruction of decided) {
      await this.destroy(destruction).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
    return decided.length;
  }

  private async destroy(destruction: DecidedDestruction): Promise<void> {
    await this.custodian.destroy(destruction.gallery_id);
    await this.record(destruction);
  }

  private record({ gallery_id: galleryId, client_id: clientId, details }: DecidedDestruction): Promise<void> {
    return this.db.transaction(async (tx) => {
      // DELETE answers [rows, count] in TypeORM. Another process may have destroyed them at the same time.
      const [, ended] = await tx.query<[unknown[], number]>(
        'DELETE FROM key_set_destruction WHERE gallery_id = $1',
        [galleryId],
      );
      if (ended === 0) return;
      await this.audit.append(tx, { type: 'key_set.destroyed', outcome: 'ok', clientId, galleryId, details });
    });
  }
}
