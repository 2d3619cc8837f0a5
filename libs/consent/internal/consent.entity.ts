import type { ClientId, ConsentId, NoticeId, SubjectId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('consent')
export class Consent {
  @PrimaryColumn('uuid')
  id: ConsentId;

  @Column('uuid', { name: 'client_id' })
  clientId: ClientId;

  @Column('uuid', { name: 'subject_id' })
  subjectId: SubjectId;

  @Column('text')
  purpose: string;

  @Column('uuid', { name: 'notice_id' })
  noticeId: NoticeId;

  @Column('timestamptz', { name: 'granted_at', default: () => 'now()' })
  grantedAt: Date;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt: Date | null;

  /** When it was withdrawn or found expired; the facts tell which. */
  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt: Date | null;

  /** While the processing is restricted; it has not ended, and does not count. */
  @Column('timestamptz', { name: 'suspended_at', nullable: true })
  suspendedAt: Date | null;
  /** Asked for and not given: it never counted. */
  @Column('boolean', { default: false })
  refused: boolean;

  @Column('bigint')
  version: string;
}
