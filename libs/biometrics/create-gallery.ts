import { AuditLog } from '#audit/audit-log';
import { KeyCustodian } from '#custody/key-custodian';
import { findModel } from '#faces/model-card';
import { violates } from '#platform/constraint-violation';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type ClientId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { GalleryNameTaken, UnknownModel } from './biometrics.errors.js';
import { resolveThreshold, type ThresholdChoice } from './gallery-threshold.js';
import { type Disclosure, Gallery, type PresentationPolicy } from './internal/gallery.entity.js';
import { TemplateBindings } from './template-bindings.js';

export interface NewGallery {
  readonly name: string;
  readonly purpose: string;
  readonly model: string;
  /** Needed for a model that Velum has no card of. */
  readonly dimension?: number;
  readonly threshold: ThresholdChoice;
  readonly disclosure: Disclosure;
  readonly presentationAttack: PresentationPolicy;
}

export class CreateGallery extends Command<Created<'gallery'>> {
  constructor(
    readonly clientId: ClientId,
    readonly gallery: NewGallery,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(CreateGallery)
export class CreateGalleryHandler implements ICommandHandler<CreateGallery> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly custodian: KeyCustodian,
    private readonly bindings: TemplateBindings,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, gallery, idempotency }: CreateGallery): Promise<Created<'gallery'>> {
    const settings = resolve(gallery);
    const known = await this.idempotency.find<'gallery'>(idempotency);
    if (known !== undefined) return known;
    const id = newId<'gallery'>();
    // The key first: a gallery without one could not be used. A key without a gallery opens nothing.
    await this.custodian.createKeySet(id, settings.dimension);
    try {
      const created = await this.idempotency.transaction(idempotency, async (tx) => {
        await tx.insert(Gallery, { ...settings, id, clientId, bindingKey: this.bindings.newKey(id) });
        const details = { purpose: settings.purpose, model: settings.model };
        await this.audit.append(tx, {
          type: 'gallery.created',
          outcome: 'ok',
          clientId,
          galleryId: id,
          details,
        });
        await this.audit.append(tx, { type: 'key_set.created', outcome: 'ok', clientId, galleryId: id });
        return { id };
      });
      // The same request was carried out by another process in the meantime.
      if (created.id !== id) await this.custodian.destroy(id);
      else this.custodian.preparePads(id);
      return created;
    } catch (error) {
      if (!violates(error, 'gallery_client_id_name_key')) throw error;
      // Only where it is certain that nothing was committed: a gallery that lost its key would be lost too.
      await this.custodian.destroy(id);
      throw new GalleryNameTaken();
    }
  }
}

type GallerySettings = Omit<Gallery, 'id' | 'clientId' | 'bindingKey' | 'version' | 'createdAt'>;

function resolve(gallery: NewGallery): GallerySettings {
  const { name, purpose, model, disclosure, presentationAttack } = gallery;
  const card = findModel(model);
  const dimension = card?.dimension ?? gallery.dimension;
  if (dimension === undefined || (gallery.dimension ?? dimension) !== dimension) throw new UnknownModel();
  return {
    name,
    purpose,
    model,
    dimension,
    ...resolveThreshold(model, gallery.threshold),
    disclosure,
    presentationAttack,
  };
}
