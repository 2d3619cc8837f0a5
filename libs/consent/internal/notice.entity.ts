import type { ClientId, NoticeId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

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

  /** SHA-256 of the notice as `noticeHash` writes it. */
  @Column('bytea')
  hash: Buffer;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
