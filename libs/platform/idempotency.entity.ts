import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import type { ClientId, OfficerId } from './ids.js';

@Entity('idempotency_key')
export class IdempotencyRecord {
  @PrimaryColumn('uuid', { name: 'client_id' })
  holderId: ClientId | OfficerId;

  @PrimaryColumn('text')
  key: string;

  @Column('bytea')
  fingerprint: Buffer;

  @Column('uuid', { name: 'result_id' })
  resultId: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt: Date;
}
