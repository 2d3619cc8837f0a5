import type { Score } from '#homomorphic/quantised-vector';
import type { ClientId, GalleryId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What an answer discloses of a score: nothing, or which of two bands it fell into. */
export const DISCLOSURES = ['none', 'band'] as const;
export type Disclosure = (typeof DISCLOSURES)[number];

/** What is done when a photograph may show a picture of a face: nothing, a remark in the answer, or a refusal. */
export const PRESENTATION_POLICIES = ['off', 'report', 'refuse'] as const;
export type PresentationPolicy = (typeof PRESENTATION_POLICIES)[number];

@Entity('gallery')
export class Gallery {
  @PrimaryColumn('uuid')
  id: GalleryId;

  @Column('uuid', { name: 'client_id' })
  clientId: ClientId;

  @Column('text')
  name: string;

  /** Every subject in it must consent to this purpose. */
  @Column('text')
  purpose: string;

  @Column('text')
  model: string;

  @Column('integer')
  dimension: number;

  @Column('integer', { name: 'threshold_score' })
  thresholdScore: Score;

  @Column('double precision', { name: 'threshold_cosine' })
  thresholdCosine: number;

  @Column('double precision', { name: 'target_false_match_rate', nullable: true })
  targetFalseMatchRate: number | null;

  @Column('text')
  disclosure: Disclosure;

  @Column('text', { name: 'presentation_attack' })
  presentationAttack: PresentationPolicy;

  /** What its templates are bound with, under db_encryption_key; null where the version before made it. */
  @Column('bytea', { name: 'binding_key', nullable: true })
  bindingKey: Buffer | null;

  /** Counts changes of its templates, so that a matcher knows what it has not seen. */
  @Column('bigint', { default: 0 })
  version: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}

/** What of a gallery never changes: not its threshold, which officers may. */
export type LastingGallery = Omit<Gallery, 'thresholdScore' | 'thresholdCosine' | 'targetFalseMatchRate'>;
