import { ConfigurationError } from '#platform/config';
import { Keyring } from '#platform/keyring';
import { DataKeyProvider } from './data-key-provider.js';

/** The secret custody_encryption_key holds the keys themselves. */
export class FileDataKeys extends DataKeyProvider {
  constructor(private readonly lines: string) {
    super();
  }

  async keys(): Promise<Keyring> {
    const keyring = Keyring.parseCustody(this.lines);
    if (keyring === undefined) throw new ConfigurationError('custody_encryption_key is malformed');
    return keyring;
  }
}
