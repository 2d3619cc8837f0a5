import { Inject, Injectable } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import type { Keyring } from './keyring.js';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns.js';

export const KEYRING = Symbol('keyring');

/** Rows are locked for as long as a batch takes: milliseconds. */
const BATCH = 100;

/** Called in the transaction of each batch. */
type Note = (tx: EntityManager, values: number) => Promise<void>;

interface Owner {
  /** As the role that may change the column. */
  readonly db: DataSource;
  /** Of a row, the one or the other. */
  readonly contexts: readonly ((id: string) => string)[];
}

interface Batch {
  readonly last: string | undefined;
  readonly resealed: number;
}

/**
 * Values under db_encryption_key that are at rest. Who owns a column says what they are bound to; this seals them anew, a few
 * rows at a time, beside whoever reads and writes them. Any number of processes may: each takes rows that no other has.
 */
@Injectable()
export class SealedValues {
  private readonly owners = new Map<SealedColumn['name'], Owner>();

  constructor(@Inject(KEYRING) private readonly keyring: Keyring) {}

  /** One of `contexts` is what the value of a row was encrypted with. */
  ownText(
    name: SealedColumn['name'],
    db: DataSource,
    ...contexts: readonly ((id: string) => string)[]
  ): void {
    this.owners.set(name, { db, contexts });
  }

  /** Everything that is under another key than the current one; `note` commits with each batch. Answers how many. */
  async reseal(note: Note): Promise<number> {
    let total = 0;
    for (const column of SEALED_COLUMNS) {
      const owner = this.owners.get(column.name);
      if (owner === undefined) throw new Error(`nobody seals ${column.name} anew`);
      for (let after: string | undefined; ;) {
        const { last, resealed: count } = await this.batch(column, owner, after, note);
        total += count;
        if (last === undefined) break;
        after = last;
      }
    }
    return total;
  }

  private batch(
    { table, column }: SealedColumn,
    { db, contexts }: Owner,
    after: string | undefined,
    note: Note,
  ): Promise<Batch> {
    const id = Buffer.from(this.keyring.currentKeyId);
    const head = Buffer.concat([Buffer.from([id.length]), id]);
    return db.transaction(async (tx) => {
      const rows = await tx.query<{ id: string; sealed: Buffer }[]>(
        `SELECT id, ${column} AS sealed FROM ${table}
         WHERE ${column} IS NOT NULL AND substr(${column}, 1, $1) <> $2 AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT ${BATCH} FOR NO KEY UPDATE SKIP LOCKED`,
        [head.length, head, after ?? null],
      );
      const done = rows.flatMap((row) => {
        const opened = contexts.flatMap((context) => this.keyring.reseal(row.sealed, context(row.id)) ?? []);
        return opened.slice(0, 1).map((value) => ({ id: row.id, value }));
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
