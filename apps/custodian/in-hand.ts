import { CustodianUnavailable } from '#custody/custody.errors';

/** Under way, those included whose caller has given up: more would only make all of them slower. */
const MOST_AT_ONCE = 256;

/** Of their bodies, for which memory is taken when they are announced. Two of the longest. */
const MOST_BYTES = 2 ** 28;

/** What one of the callers has under way: no other waits for it. */
export class InHand {
  private calls = 0;
  private bytes = 0;

  /**
   * `taking` counts the bytes of what comes, before there is memory for them and until the work is done: they may stand in
   * line long after they came. Both throw CustodianUnavailable if it is too much.
   */
  async call<T>(work: (taking: (bytes: number) => void) => Promise<T>): Promise<T> {
    if (this.calls >= MOST_AT_ONCE) throw new CustodianUnavailable();
    this.calls++;
    let own = 0;
    try {
      return await work((bytes) => {
        if (this.bytes + bytes > MOST_BYTES) throw new CustodianUnavailable();
        this.bytes += bytes;
        own += bytes;
      });
    } finally {
      this.calls--;
      this.bytes -= own;
    }
  }
}
