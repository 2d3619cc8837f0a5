import { encryptedText } from '#platform/encrypted-column';
import type { Id, SubjectId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Who exercises a person's rights after their death or incapacity (DPDP Act section 14). */
@Entity('nominee')
export class Nominee {
  @PrimaryColumn('uuid')
  id: Id<'nominee'>;

  @Column('uuid', { name: 'subject_id' })
  subjectId: SubjectId;

  @Column('bytea', { transformer: encryptedText('nominee.name') })
  name: string;

  @Column('bytea', { transformer: encryptedText('nominee.contact') })
  contact: string;

  @Column('text')
  relationship: string;

  @Column('timestamptz', { name: 'recorded_at' })
  recordedAt: Date;
}
