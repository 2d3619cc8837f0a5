import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import type { GalleryId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { KeyRotations } from './key-rotations.js';

/** Asks for new keys of a gallery, whosever it is. */
export class StartKeyRotation extends Command<Created<'key-rotation'>> {
  constructor(
    readonly galleryId: GalleryId,
    readonly idempotency: IdempotentRequest | undefined,
    /** What else permits it; it throws if nothing does. */
    readonly permitted: (tx: EntityManager) => Promise<void>,
  ) {
    super();
  }
}

@CommandHandler(StartKeyRotation)
export class StartKeyRotationHandler implements ICommandHandler<StartKeyRotation> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly rotations: KeyRotations,
    private readonly audit: AuditLog,
  ) {}

  execute({ galleryId, idempotency, permitted }: StartKeyRotation): Promise<Created<'key-rotation'>> {
    return this.audit.recordingRefusals({ type: 'key_set.rotation_requested', galleryId }, () =>
      this.idempotency.transaction(idempotency, async (tx) => {
        await permitted(tx);
        return this.rotations.request(tx, galleryId);
      }),
    );
  }
}
