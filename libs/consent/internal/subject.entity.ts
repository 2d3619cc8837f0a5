import { encryptedText } from '#platform/encrypted-column';
import type { ClientId, SubjectId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A person whom a client knows. An erased one keeps its id and nothing else, so that old records stay readable. */
@Entity('subject')
export class Subject {
  @PrimaryColumn('uuid')
  id: SubjectId;

  @Column('uuid', { name: 'client_id' })
  clientId: ClientId;

  /** The client's own name for the person: personal data, hence encrypted. */
  @Column('bytea', { nullable: true, transformer: encryptedText('subject.reference') })
  reference: string | null;

  @Column('bytea', { name: 'reference_index', nullable: true })
  referenceIndex: Buffer | null;

  /** Whose law the person is under: a code of libs/policy. */
  @Column('text')
  jurisdiction: string;

  /** The day (UTC) on which a minor comes of age. */
  @Column('date', { name: 'adult_from', nullable: true })
  adultFrom: string | null;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  /** Since when nothing may be done with the person's data (GDPR Art. 18). */
  @Column('timestamptz', { name: 'restricted_at', nullable: true })
  restrictedAt: Date | null;

  @Column('timestamptz', { name: 'erased_at', nullable: true })
  erasedAt: Date | null;
}
