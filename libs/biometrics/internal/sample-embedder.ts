import { averageEmbeddings } from '#faces/average-embeddings';
import { FaceAnalysisFailed, FacePool, FacePoolBusy } from '#faces/face-pool';
import { findModel } from '#faces/model-card';
import { suspectsSpoof } from '#faces/quality-policy';
import {
  InvalidEmbedding,
  quantiseProbe,
  type QuantisedProbe,
  quantiseTemplate,
  type QuantisedTemplate,
} from '#homomorphic/quantised-vector';
import { DomainError } from '#platform/domain-error';
import { Injectable } from '@nestjs/common';
import {
  EmbeddingInvalid,
  FACE_REFUSED,
  FacesBusy,
  ModelCannotEmbed,
  SpoofSuspected,
} from '../biometrics.errors.js';
import type { BiometricSample } from '../biometric-sample.js';
import type { LastingGallery } from './gallery.entity.js';

export interface EmbeddedSample<Vector> {
  readonly vector: Vector;
  readonly photos: number;
  /** With the policy `report`: whether any photograph may show a picture of a face. */
  readonly spoofSuspected?: boolean;
}

/** From what a client sends to a quantised vector of the gallery's model. */
@Injectable()
export class SampleEmbedder {
  constructor(private readonly faces: FacePool) {}

  /** To be sealed. Several photographs are averaged, after each has passed the gates. */
  embedTemplate(
    gallery: LastingGallery,
    sample: BiometricSample,
  ): Promise<EmbeddedSample<QuantisedTemplate>> {
    return this.embed(gallery, sample, quantiseTemplate);
  }

  /** To be compared. */
  embedProbe(gallery: LastingGallery, sample: BiometricSample): Promise<EmbeddedSample<QuantisedProbe>> {
    return this.embed(gallery, sample, quantiseProbe);
  }

  private async embed<Vector>(
    gallery: LastingGallery,
    sample: BiometricSample,
    quantise: (embedding: ArrayLike<number>) => Vector,
  ): Promise<EmbeddedSample<Vector>> {
    if ('embedding' in sample) {
      const { embedding } = sample;
      try {
        if (embedding.length !== gallery.dimension) throw new EmbeddingInvalid();
        return { vector: refusing(() => quantise(embedding)), photos: 0 };
      } finally {
        if (embedding instanceof Float64Array) embedding.fill(0);
      }
    }
    if (findModel(gallery.model) === undefined) throw new ModelCannotEmbed();
    const several = sample.photos.length > 1;
    const analysed = await Promise.all(
      sample.photos.map((photo, i) =>
        this.analyse(gallery, photo).catch((error: unknown) => {
          throw several && error instanceof DomainError ? ofPhoto(error, i) : error;
        }),
      ),
    );
    const average = averageEmbeddings(analysed.map(({ embedding }) => embedding));
    const vector = refusing(() => quantise(average));
    average.fill(0);
    for (const { embedding } of analysed) embedding.fill(0);
    const photos = analysed.length;
    if (gallery.presentationAttack === 'off') return { vector, photos };
    return { vector, photos, spoofSuspected: analysed.some(({ suspected }) => suspected) };
  }

  private async analyse(
    { presentationAttack }: LastingGallery,
    photo: Uint8Array<ArrayBuffer>,
  ): Promise<{ embedding: Float32Array; suspected: boolean }> {
    const analysis = await this.faces.analyse(photo, presentationAttack !== 'off').catch((error: unknown) => {
      if (error instanceof FacePoolBusy) throw new FacesBusy();
      if (error instanceof FaceAnalysisFailed) throw new FACE_REFUSED.image_unreadable();
      throw error;
    });
    if (!analysis.ok) throw new FACE_REFUSED[analysis.reason]();
    const suspected = analysis.presentation !== undefined && suspectsSpoof(analysis.presentation);
    if (suspected && presentationAttack === 'refuse') throw new SpoofSuspected();
    return { embedding: analysis.embedding, suspected };
  }
}

function refusing<R>(quantise: () => R): R {
  try {
    return quantise();
  } catch (error) {
    throw error instanceof InvalidEmbedding ? new EmbeddingInvalid() : error;
  }
}

/** Which of several photographs a refusal is about. */
function ofPhoto({ problem }: DomainError, index: number): DomainError {
  return new DomainError(problem, [{ field: `photos[${index}]`, message: problem.title }]);
}
