import { encryptedText } from '#platform/encrypted-column';
import type { IncidentId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What persons of a jurisdiction are told in a language, as it was released; the newest counts. */
@Entity('incident_notice')
export class IncidentNotice {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'incident_id' })
  incidentId: IncidentId;

  @Column('text')
  jurisdiction: string;

  @Column('text')
  language: string;

  @Column('bytea', { transformer: encryptedText('incident_notice.text') })
  text: string;

  @Column('timestamptz', { name: 'released_at', default: () => 'now()' })
  releasedAt: Date;
}
