import { CustodianUnavailable } from '#custody/custody.errors';

/** Under way, those included whose caller has given up: more would only make all of them slower. */
const MOST_AT_ONCE = 256;

/** Of their bodies, for which memory is taken when they are announced. Two of the longest. */
const MOST_BYTES = 2 ** 28;

/** What one of the callers has under way: no other waits for it. */
export class InHand {
  private calls = 0;
  private bytes = 0;

  /** `bytes` of a body, until the work is done: it may stand in line long after they came. Throws CustodianUnavailable if this is too much. */
  async call<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.calls >= MOST_AT_ONCE || this.bytes + bytes > MOST_BYTES) throw new CustodianUnavailable();
    this.calls++;
    this.bytes += bytes;
    try {
      return await work();
    } finally {
      this.calls--;
      this.bytes -= bytes;
    }
  }
}
