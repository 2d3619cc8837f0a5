export interface StoredObject {
  readonly name: string;
  readonly bytes: number;
  readonly storedAt: Date;
}

/** Where backups are kept. Names are relative to the target's folder or prefix, and nothing outside it is touched. */
export interface BackupStore {
  /** An object is there as a whole or not at all: if `content` throws, nothing is. */
  put(name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Throws if there is no such object, at once or with the first chunk. */
  read(name: string): AsyncIterable<Uint8Array>;
  /** In the order of their names. */
  list(prefix: string): Promise<readonly StoredObject[]>;
  remove(name: string): Promise<void>;
}
