import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { AuditEventId, ClientId, GalleryId, SubjectId } from '#platform/ids';

@Entity('audit_event')
export class AuditEvent {
  @PrimaryColumn('uuid')
  id: AuditEventId;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;

  @Column('text')
  type: string;

  @Column('text')
  outcome: string;

  @Column('text', { nullable: true })
  code: string | null;

  @Column('uuid', { name: 'client_id', nullable: true })
  clientId: ClientId | null;

  @Column('uuid', { name: 'subject_id', nullable: true })
  subjectId: SubjectId | null;

  @Column('uuid', { name: 'gallery_id', nullable: true })
  galleryId: GalleryId | null;

  @Column('text', { name: 'request_id', nullable: true })
  requestId: string | null;

  @Column('text', { name: 'ip_hash', nullable: true })
  ipHash: string | null;

  @Column('jsonb')
  details: Readonly<Record<string, string | number | boolean>>;
}
