import type { ClientId, NoticeId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { NoticeItems } from '../notice-items.js';

@Entity('notice')
export class Notice {
  @PrimaryColumn('uuid')
  id: NoticeId;

  @Column('uuid', { name: 'client_id' })
  clientId: ClientId;

  @Column('text')
  purpose: string;

  /** BCP 47 tag. */
  @Column('text')
  language: string;

  @Column('integer')
  version: number;

  @Column('text')
  title: string;

  @Column('text')
  text: string;

  @Column('jsonb', { nullable: true })
  items: NoticeItems | null;

  /** Whose law it follows; null: nobody said. */
  @Column('text', { nullable: true })
  jurisdiction: string | null;

  /** Until when consents under older versions of it are to be renewed. */
  @Column('timestamptz', { name: 'renew_by', nullable: true })
  renewBy: Date | null;

  /** Of the version before it. */
  @Column('bytea', { name: 'previous_hash', nullable: true })
  previousHash: Buffer | null;

  /** How `hash` was made. */
  @Column('integer')
  format: 1 | 2;

  /** SHA-256 of the notice as `noticeHash` writes it. */
  @Column('bytea')
  hash: Buffer;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
