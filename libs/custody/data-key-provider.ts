import type { Keyring } from '#platform/keyring';

/** The port to the keys that wrap segment secrets. */
export abstract class DataKeyProvider {
  /** Asked once, at start. Rejects if one of them cannot be had: the process then MUST NOT serve. */
  abstract keys(): Promise<Keyring>;
}
