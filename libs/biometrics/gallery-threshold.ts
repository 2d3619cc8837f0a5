import { AuditLog } from '#audit/audit-log';
import { findModel, thresholdFor } from '#faces/model-card';
import { cosineToScore } from '#homomorphic/quantised-vector';
import type { GalleryId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { GalleryNotFound, UnknownThreshold } from './biometrics.errors.js';
import { Gallery } from './internal/gallery.entity.js';

/** Either a false match rate that the model's card has measured, or a cosine. */
export type ThresholdChoice = { readonly targetFalseMatchRate: number } | { readonly cosine: number };

type Threshold = Pick<Gallery, 'thresholdScore' | 'thresholdCosine' | 'targetFalseMatchRate'>;

/** Throws UnknownThreshold where the model has no measured cosine for the rate. */
export function resolveThreshold(model: string, choice: ThresholdChoice): Threshold {
  const target = 'targetFalseMatchRate' in choice ? choice.targetFalseMatchRate : null;
  const card = findModel(model);
  const cosine = 'cosine' in choice ? choice.cosine : card && thresholdFor(card, target ?? 0);
  if (cosine === undefined) throw new UnknownThreshold();
  return {
    thresholdScore: cosineToScore(cosine),
    thresholdCosine: cosine,
    targetFalseMatchRate: target,
  };
}

/** The threshold of a gallery that is there; every replica reads it anew for each match. */
@Injectable()
export class GalleryThreshold {
  constructor(private readonly audit: AuditLog) {}

  /** What `choice` would be, and what it would replace; the gallery's row is held until `tx` ends. */
  async preview(
    tx: EntityManager,
    galleryId: GalleryId,
    choice: ThresholdChoice,
  ): Promise<{ readonly gallery: Gallery; readonly next: Threshold }> {
    const gallery = await tx.findOne(Gallery, {
      where: { id: galleryId },
      lock: { mode: 'for_no_key_update' },
    });
    if (gallery === null) throw new GalleryNotFound();
    return { gallery, next: resolveThreshold(gallery.model, choice) };
  }

  async change(
    tx: EntityManager,
    galleryId: GalleryId,
    choice: ThresholdChoice,
    details: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { gallery, next } = await this.preview(tx, galleryId, choice);
    await tx.update(Gallery, { id: galleryId }, next);
    await this.audit.append(tx, {
      type: 'gallery.threshold_changed',
      outcome: 'ok',
      clientId: gallery.clientId,
      galleryId,
      details: { ...details, from: gallery.thresholdCosine, to: next.thresholdCosine },
    });
  }
}
