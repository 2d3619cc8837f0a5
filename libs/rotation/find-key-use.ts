import type { Keyring } from '#platform/keyring';
import { countSealed, SEGMENT_SECRET, type SealedCount, underOldKeys } from '#platform/sealed-columns';
import { KEYRING } from '#platform/sealed-values';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface KeyUse {
  /** The key of db_encryption_key that encrypts, by its id. */
  readonly current: string;
  /** All keys of that secret. */
  readonly known: readonly string[];
  readonly counts: readonly SealedCount[];
  /** Under another of its keys than the current one. */
  readonly left: number;
  readonly custody: {
    /** The key of custody_encryption_key that came last; undefined before any custodian had one. */
    readonly current: string | undefined;
    /** Secrets of segments under another. */
    readonly left: number;
  };
}

/** How many values are under which key of db_encryption_key and of custody_encryption_key. */
export class FindKeyUse extends Query<KeyUse> {}

@QueryHandler(FindKeyUse)
export class FindKeyUseHandler implements IQueryHandler<FindKeyUse> {
  constructor(
    private readonly db: DataSource,
    @Inject(KEYRING) private readonly keyring: Keyring,
  ) {}

  async execute(): Promise<KeyUse> {
    const { currentKeyId: current, keyIds: known } = this.keyring;
    const counts = await countSealed(this.db.manager);
    const [newest] = await this.db.query<{ key_id: string }[]>(
      'SELECT key_id FROM wrapping_keys() WHERE newest',
    );
    const custody = {
      current: newest?.key_id,
      left: counts
        .filter(({ name, keyId }) => name === SEGMENT_SECRET && keyId !== newest?.key_id)
        .reduce((sum, { values }) => sum + values, 0),
    };
    return { current, known, counts, left: underOldKeys(counts, current), custody };
  }
}
