import { asId, type ClientId } from '#platform/ids';
import type { Keyring } from '#platform/keyring';
import { KEYRING, SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isFactName } from '../fact-kinds.js';
import type { Fact } from './fact-sheet.js';

interface FactRow {
  readonly id: string;
  readonly name: string;
  readonly client_id: string | null;
  readonly purpose: string | null;
  readonly value: Buffer;
}

/** The table `record_fact`; each value is encrypted for its row. */
@Injectable()
export class FactStore {
  constructor(
    db: DataSource,
    @Inject(KEYRING) private readonly keyring: Keyring,
    values: SealedValues,
  ) {
    values.ownText('record_fact.value', db, contextOf);
  }

  async all(tx: EntityManager): Promise<readonly Fact[]> {
    const rows = await tx.query<FactRow[]>(
      'SELECT id, name, client_id, purpose, value FROM record_fact ORDER BY name, client_id, purpose',
    );
    return rows.flatMap(({ id, name, client_id, purpose, value }) => {
      if (!isFactName(name)) return [];
      const clientId = client_id === null ? null : asId<'client'>(client_id);
      return [{ name, clientId, purpose, value: this.keyring.decrypt(value, contextOf(id)).toString() }];
    });
  }

  async add(tx: EntityManager, id: string, { name, clientId, purpose, value }: Fact): Promise<void> {
    await tx.query(
      'INSERT INTO record_fact (id, name, client_id, purpose, value) VALUES ($1, $2, $3, $4, $5)',
      [
        id,
        name,
        clientId satisfies ClientId | null,
        purpose,
        this.keyring.encrypt(Buffer.from(value), contextOf(id)),
      ],
    );
  }
}

function contextOf(id: string): string {
  return `record_fact.value ${id}`;
}
