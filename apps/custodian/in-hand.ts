import { CustodianUnavailable } from '#custody/custody.errors';

/** Under way, those included whose caller has given up: more would only make all of them slower. */
const MOST_AT_ONCE = 256;

/** Of bodies that were announced and have not come whole: memory is taken for them before. Two of the longest. */
const MOST_BYTES_TO_COME = 2 ** 28;

/** What one of the callers has under way: no other waits for it. */
export class InHand {
  private calls = 0;
  private toCome = 0;

  /** Throws CustodianUnavailable if this is too much. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    if (this.calls >= MOST_AT_ONCE) throw new CustodianUnavailable();
    this.calls++;
    try {
      return await work();
    } finally {
      this.calls--;
    }
  }

  /** The same for a body of so many bytes. */
  async body<T>(bytes: number, read: () => Promise<T>): Promise<T> {
    if (this.toCome + bytes > MOST_BYTES_TO_COME) throw new CustodianUnavailable();
    this.toCome += bytes;
    try {
      return await read();
    } finally {
      this.toCome -= bytes;
    }
  }
}
