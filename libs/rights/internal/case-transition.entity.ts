import type { CaseId, ClientId, Id, OfficerId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CaseState } from '../case-state.js';
import type { StepReason } from '../step-reasons.js';

/** What became of a case, when and by whom; rows are only ever added. */
@Entity('case_transition')
export class CaseTransition {
  @PrimaryColumn('uuid')
  id: Id<'case-transition'>;

  @Column('uuid', { name: 'case_id' })
  caseId: CaseId;

  @Column('text')
  state: CaseState;

  @Column('text', { nullable: true })
  reason: StepReason | null;

  /** Of the law, by which it was refused. */
  @Column('text', { nullable: true })
  article: string | null;

  @Column('timestamptz', { name: 'due_at' })
  dueAt: Date;

  @Column('uuid', { name: 'client_id', nullable: true })
  clientId: ClientId | null;

  @Column('uuid', { name: 'officer_id', nullable: true })
  officerId: OfficerId | null;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;
}
