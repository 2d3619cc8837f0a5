import { encryptedText } from '#platform/encrypted-column';
import type { CaseId, ClientId, SubjectId } from '#platform/ids';
import type { Right } from '#policy/right-rules';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CaseState } from '../case-state.js';

/** What a person asked for. One of somebody who was erased keeps ids, dates and states, and nothing that was written. */
@Entity('rights_case')
export class RightsCase {
  @PrimaryColumn('uuid')
  id: CaseId;

  @Column('uuid', { name: 'client_id' })
  clientId: ClientId;

  @Column('uuid', { name: 'subject_id' })
  subjectId: SubjectId;

  @Column('text')
  kind: Right;

  @Column('text')
  channel: string;

  /** Which processing it is about; null: all. */
  @Column('text', { nullable: true })
  purpose: string | null;

  @Column('text')
  jurisdiction: string;

  /** Of the jurisdiction's policy, which set the date. */
  @Column('integer', { name: 'policy_revision' })
  policyRevision: number;

  @Column('text')
  state: CaseState;

  @Column('timestamptz', { name: 'opened_at' })
  openedAt: Date;

  @Column('timestamptz', { name: 'due_at' })
  dueAt: Date;

  @Column('bytea', { nullable: true, transformer: encryptedText('rights_case.request') })
  request: string | null;

  @Column('bytea', { nullable: true, transformer: encryptedText('rights_case.answer') })
  answer: string | null;
}
