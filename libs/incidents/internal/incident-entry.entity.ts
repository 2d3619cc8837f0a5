import { encryptedText } from '#platform/encrypted-column';
import type { IncidentId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { EntryKind } from '../incident.js';

/** What was found, done and is to be told; a later entry adds to an earlier one and replaces none. */
@Entity('incident_entry')
export class IncidentEntry {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'incident_id' })
  incidentId: IncidentId;

  @Column('text')
  kind: EntryKind;

  @Column('text')
  language: string;

  @Column('bytea', { transformer: encryptedText('incident_entry.text') })
  text: string;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;
}
