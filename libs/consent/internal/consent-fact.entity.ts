import type { ConsentId, Id, NoticeId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ConsentMethod, Guardian } from '../consent-evidence.js';

export type ConsentFactKind = 'granted' | 'renewed' | 'refused' | 'withdrawn' | 'expired';

/** What happened to a consent; rows are only ever added (GDPR Art. 7(1): consent must be demonstrable). */
@Entity('consent_fact')
export class ConsentFact {
  @PrimaryColumn('uuid')
  id: Id<'consent-fact'>;

  @Column('uuid', { name: 'consent_id' })
  consentId: ConsentId;

  @Column('text')
  kind: ConsentFactKind;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;

  /** Of the address that the call came from, as a rule the client's back end. */
  @Column('text', { name: 'ip_hash', nullable: true })
  ipHash: string | null;

  /** Of the address that the client says the person had. */
  @Column('text', { name: 'person_ip_hash', nullable: true })
  personIpHash: string | null;

  /** Of the notice that counted; facts of before notices could change have none. */
  @Column('uuid', { name: 'notice_id', nullable: true })
  noticeId: NoticeId | null;

  /** Until when it was given. */
  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt: Date | null;

  @Column('text', { nullable: true })
  method: ConsentMethod | null;

  /** SHA-256. */
  @Column('bytea', { name: 'evidence_hash', nullable: true })
  evidenceHash: Buffer | null;

  @Column('text', { name: 'guardian_relationship', nullable: true })
  guardianRelationship: Guardian['relationship'] | null;

  @Column('text', { name: 'guardian_verified_by', nullable: true })
  guardianVerifiedBy: NonNullable<Guardian['verifiedBy']> | null;
}
