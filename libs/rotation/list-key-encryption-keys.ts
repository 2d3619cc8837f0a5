import { CUSTODY } from '#platform/keyring';
import { countSealed } from '#platform/sealed-columns';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export const KEY_ENCRYPTION_SECRETS = ['db_encryption_key', 'custody_encryption_key'] as const;

export interface KeyEncryptionKeyView {
  readonly keyId: string;
  /** The secret that holds it. */
  readonly secret: (typeof KEY_ENCRYPTION_SECRETS)[number];
  /** It came last of its secret: all values are put under it. */
  readonly newest: boolean;
  /** Under it now. */
  readonly values: number;
  /** Put under it from under another, until now. */
  readonly resealed: number;
  /** Of the newest: values under other keys of its secret. */
  readonly left: number | null;
  readonly seenAt: Date;
  /** By the pace since it was seen first; null where nothing is left, or there is no pace yet. */
  readonly expectedEndAt: Date | null;
  /** When nothing was left under another. */
  readonly endedAt: Date | null;
  readonly auditRecords: readonly string[];
}

interface KeyRow {
  readonly key_id: string;
  readonly newest: boolean;
  readonly resealed: number;
  readonly seen_at: Date;
  readonly ended_at: Date | null;
  readonly records: readonly string[];
  readonly now: Date;
}

/** The keys that wrap others and stored values: how far one has replaced another, and the records that prove it. */
export class ListKeyEncryptionKeys extends Query<readonly KeyEncryptionKeyView[]> {}

@QueryHandler(ListKeyEncryptionKeys)
export class ListKeyEncryptionKeysHandler implements IQueryHandler<ListKeyEncryptionKeys> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<readonly KeyEncryptionKeyView[]> {
    const counts = await countSealed(this.db.manager);
    const under = new Map<string, number>();
    for (const { keyId, values } of counts) under.set(keyId, (under.get(keyId) ?? 0) + values);
    const rows = await this.db.query<KeyRow[]>(
      // What the custodian says of its own keys counts: the worker copies it once a key is through.
      `WITH key AS (
         SELECT key_id, place, resealed, seen_at, ended_at FROM wrapping_key_states()
         UNION ALL
         SELECT key_id, place, resealed, seen_at, ended_at FROM key_rotation WHERE NOT starts_with(key_id, $1))
       SELECT key_id, resealed::float8 AS resealed, seen_at, ended_at, now() AS now,
              place = max(place) OVER (PARTITION BY starts_with(key_id, $1)) AS newest,
              ARRAY(SELECT id FROM audit_event WHERE type = 'encryption_key.rotated'
                    AND details->>'keyId' = key_id ORDER BY id) AS records
       FROM key ORDER BY starts_with(key_id, $1), place DESC`,
      [CUSTODY],
    );
    return rows.map((row) => {
      const own = under.get(row.key_id) ?? 0;
      const others = [...under].filter(([id]) => id !== row.key_id && sameSecret(id, row.key_id));
      return show(row, own, row.newest ? others.reduce((sum, [, values]) => sum + values, 0) : null);
    });
  }
}

function sameSecret(one: string, other: string): boolean {
  return one.startsWith(CUSTODY) === other.startsWith(CUSTODY);
}

function show(row: KeyRow, values: number, left: number | null): KeyEncryptionKeyView {
  const { key_id: keyId, newest, resealed, seen_at: seenAt, ended_at: endedAt, records } = row;
  const elapsed = row.now.getTime() - seenAt.getTime();
  const paced = left !== null && left > 0 && resealed > 0;
  return {
    keyId,
    secret: keyId.startsWith(CUSTODY) ? 'custody_encryption_key' : 'db_encryption_key',
    newest,
    values,
    resealed,
    left,
    seenAt,
    expectedEndAt: paced ? new Date(row.now.getTime() + (elapsed * left) / resealed) : null,
    endedAt,
    auditRecords: records,
  };
}
