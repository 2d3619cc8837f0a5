import { ConfigurationError, type CustodyConfig } from '#platform/config';
import type { Keyring } from '#platform/keyring';
import { FileDataKeys } from './file-data-keys.js';
import { KmsDataKeys } from './kms-data-keys.js';

/** What segment secrets are wrapped with (docs/adr/0040-keys-that-only-the-custodian-has.md). */
export class WrappingKeys {
  private constructor(
    readonly own: Keyring,
    /** db_encryption_key, for what installations of before have under it. */
    readonly former: Keyring | undefined,
    readonly adoptionHours: number,
  ) {}

  /** Throws ConfigurationError if a key cannot be had. */
  static async load({ custodyKeys }: Pick<CustodyConfig, 'custodyKeys'>): Promise<WrappingKeys> {
    if (custodyKeys === undefined) throw new ConfigurationError('custody was given no keys');
    const { lines, kms, former, adoptionHours } = custodyKeys;
    const provider = kms === undefined ? new FileDataKeys(lines) : new KmsDataKeys(lines, kms);
    return new WrappingKeys(await provider.keys(), former, adoptionHours);
  }

  /** For the threads that open segment secrets. */
  get texts(): WrappingKeyTexts {
    return { own: this.own.serialise(), former: this.former?.serialise() };
  }
}

export interface WrappingKeyTexts {
  readonly own: string;
  readonly former: string | undefined;
}
