import type { Keyring } from '#platform/keyring';
import { countSealed, type SealedCount } from '#platform/sealed-columns';
import { KEYRING } from '#platform/sealed-values';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

export interface KeyUse {
  /** The key that encrypts, by its id. */
  readonly current: string;
  /** All keys of the secret. */
  readonly known: readonly string[];
  readonly counts: readonly SealedCount[];
  /** Under another key than the current one. */
  readonly left: number;
}

/** How many values are under which key of db_encryption_key. */
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
    const left = counts.filter(({ keyId }) => keyId !== current).reduce((sum, { values }) => sum + values, 0);
    return { current, known, counts, left };
  }
}
