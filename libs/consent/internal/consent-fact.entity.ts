import type { ConsentId, Id } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

export type ConsentFactKind = 'granted' | 'withdrawn' | 'expired';

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

  @Column('text', { name: 'ip_hash', nullable: true })
  ipHash: string | null;
}
