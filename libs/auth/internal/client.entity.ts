import type { ClientId } from '#platform/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Scope } from '../scopes.js';

@Entity('client')
export class Client {
  @PrimaryColumn('uuid')
  id: ClientId;

  @Column('text')
  name: string;

  /** Argon2id, in the PHC string format. */
  @Column('text', { name: 'secret_hash' })
  secretHash: string;

  @Column('text', { array: true })
  scopes: Scope[];

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'disabled_at', nullable: true })
  disabledAt: Date | null;
}
