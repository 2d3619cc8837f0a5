import { Inject, Injectable } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import type { Keyring } from './keyring.js';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns.js';

export const KEYRING = Symbol('keyring');

/** Rows are locked for as long as a batch takes: milliseconds. */
const BATCH = 100;

export interface SealedRow {
  readonly id: string;
  readonly sealed: Buffer;
}

/** How the values of a column are put under the current key. */
export interface Resealing<Row extends SealedRow> {
  /** As the role that may change the column. */
  readonly db: DataSource;
  /** Further columns that `reseal` needs; `v` is the row. */
  readonly columns?: string;
  readonly join?: string;
  /** In the order of the rows; undefined for a value that no key of the secret opens. */
  reseal(rows: readonly Row[]): Promise<readonly (Uint8Array | undefined)[]>;
}

/** Called in the transaction of each batch. */
type Note = (tx: EntityManager, values: number) => Promise<void>;

type BatchOf = (column: SealedColumn, after: string | undefined, note: Note) => Promise<Batch>;

interface Batch {
  readonly last: string | undefined;
  readonly resealed: number;
}

/**
 * Values under db_encryption_key that are at rest. Who owns a column says how its values are sealed anew; this does it, a
 * few rows at a time, beside whoever reads and writes them. Any number of processes may: each takes rows that no other has.
 */
@Injectable()
export class SealedValues {
  private readonly owners = new Map<SealedColumn['name'], BatchOf>();

  constructor(@Inject(KEYRING) private readonly keyring: Keyring) {}

  own<Row extends SealedRow>(name: SealedColumn['name'], resealing: Resealing<Row>): void {
    this.owners.set(name, (column, after, note) => this.batch(column, resealing, after, note));
  }

  /** For values that this process opens itself: `context` is what they were encrypted with. */
  ownText(name: SealedColumn['name'], db: DataSource, context: (id: string) => string): void {
    this.own(name, {
      db,
      reseal: async (rows) => rows.map(({ id, sealed }) => this.keyring.reseal(sealed, context(id))),
    });
  }

  /** Everything that is under another key than the current one; `note` commits with each batch. Answers how many. */
  async reseal(note: Note): Promise<number> {
    let total = 0;
    for (const column of SEALED_COLUMNS) {
      const owner = this.owners.get(column.name);
      if (owner === undefined) throw new Error(`nobody seals ${column.name} anew`);
      for (let after: string | undefined; ;) {
        const { last, resealed: count } = await owner(column, after, note);
        total += count;
        if (last === undefined) break;
        after = last;
      }
    }
    return total;
  }

  private batch<Row extends SealedRow>(
    { table, column }: SealedColumn,
    owner: Resealing<Row>,
    after: string | undefined,
    note: Note,
  ): Promise<Batch> {
    const { columns, join = '' } = owner;
    const id = Buffer.from(this.keyring.currentKeyId);
    const head = Buffer.concat([Buffer.from([id.length]), id]);
    return owner.db.transaction(async (tx) => {
      const rows = await tx.query<Row[]>(
        `SELECT v.id, v.${column} AS sealed${columns === undefined ? '' : `, ${columns}`} FROM ${table} v ${join}
         WHERE v.${column} IS NOT NULL AND substr(v.${column}, 1, $1) <> $2 AND ($3::uuid IS NULL OR v.id > $3)
         ORDER BY v.id LIMIT ${BATCH} FOR NO KEY UPDATE OF v SKIP LOCKED`,
        [head.length, head, after ?? null],
      );
      const fresh = await owner.reseal(rows);
      const done = rows.flatMap((row, i) => {
        const value = fresh[i];
        return value === undefined ? [] : [{ id: row.id, value: Buffer.from(value) }];
      });
      if (done.length > 0) {
        await tx.query(
          `UPDATE ${table} v SET ${column} = n.value FROM unnest($1::uuid[], $2::bytea[]) AS n (id, value) WHERE v.id = n.id`,
          [done.map((each) => each.id), done.map(({ value }) => value)],
        );
        await note(tx, done.length);
      }
      return { last: rows.at(-1)?.id, resealed: done.length };
    });
  }
}
