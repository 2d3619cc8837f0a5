import type { ConsentId, GalleryId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('template')
export class Template {
  @PrimaryColumn('uuid')
  id: TemplateId;

  @Column('uuid', { name: 'gallery_id' })
  galleryId: GalleryId;

  @Column('uuid', { name: 'subject_id' })
  subjectId: SubjectId;

  /** The consent under which it was made; when that ends, the template is erased. */
  @Column('uuid', { name: 'consent_id' })
  consentId: ConsentId;

  @Column('uuid', { name: 'segment_id' })
  segmentId: SegmentId;

  @Column('integer')
  slot: number;

  /** The sealed row, d × 4 bytes. */
  @Column('bytea')
  row: Buffer;

  /** Ties all of the above together; null where the version before kept it. */
  @Column('bytea', { nullable: true })
  binding: Buffer | null;

  /** How many photographs it was averaged from; 0 for an embedding that the client made. */
  @Column('integer')
  photos: number;

  @Column('bigint')
  version: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
