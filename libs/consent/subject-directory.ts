import type { ClientId, SubjectId } from '#platform/ids';
import { SealedValues } from '#platform/sealed-values';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SubjectReferences } from './internal/subject-references.js';

/** Finds subjects by the names that a client gave them. */
@Injectable()
export class SubjectDirectory {
  constructor(
    private readonly db: DataSource,
    private readonly references: SubjectReferences,
    values: SealedValues,
  ) {
    values.ownText('subject.reference', db, () => 'subject.reference');
  }

  /** Those of the references that the client has a subject for. */
  async find(clientId: ClientId, references: readonly string[]): Promise<ReadonlyMap<string, SubjectId>> {
    if (references.length === 0) return new Map();
    const byIndex = new Map(
      references.map((each) => [this.references.index(clientId, each).toString('hex'), each]),
    );
    const rows = await this.db.query<{ id: SubjectId; reference_index: Buffer }[]>(
      `SELECT id, reference_index FROM subject
       WHERE client_id = $1 AND reference_index = ANY($2) AND erased_at IS NULL`,
      [clientId, [...byIndex.keys()].map((hex) => Buffer.from(hex, 'hex'))],
    );
    return new Map(
      rows.map(({ id, reference_index }) => [byIndex.get(reference_index.toString('hex')) ?? '', id]),
    );
  }
}
