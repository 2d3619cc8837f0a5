import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { currentContext } from '#platform/request-context';
import { Inject, Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { afterFailure, type CountedBy, FAILURES_ALLOWED, isLocked, LONGEST_LOCK_MS } from './lockout.js';

export interface LoginAttempt {
  /** Nothing that it brings may let it in. */
  readonly locked: boolean;
  /** Unless it succeeds, what follows is locked for a while. */
  readonly locks: boolean;
  readonly keys: Readonly<Record<CountedBy, Buffer>>;
}

interface AttemptRow {
  readonly key: Buffer;
  readonly failures: number;
  readonly failed_at: Date | null;
  readonly locked_until: Date | null;
  readonly now: Date;
}

/** Counts failed logins in PostgreSQL, for addresses that are no officer's as well: where it cannot count, nobody is let in. */
@Injectable()
export class LoginThrottle {
  private readonly key: Buffer;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) { secrets }: Config,
  ) {
    this.key = createHmac('sha256', secrets.secretKey).update('velum login attempts v1').digest();
  }

  /**
   * Counts the attempt as a failure before anything is checked: of many at once no more are let through than one after the
   * other. Attempts while locked do not count, else whoever goes on trying would keep an officer out for ever.
   */
  begin(emailIndex: Buffer): Promise<LoginAttempt> {
    const keys = this.keysOf(emailIndex);
    return this.db.transaction(async (tx) => {
      const rows = await hold(tx, Object.values(keys));
      const counts = rows.map(({ key, failures, failed_at: failedAt, locked_until: lockedUntil, now }) => {
        const by = countedBy(keys, key);
        const count = { failures, failedAt, lockedUntil };
        return {
          key,
          now,
          locked: isLocked(count, now),
          next: afterFailure(count, FAILURES_ALLOWED[by], now, LONGEST_LOCK_MS[by]),
        };
      });
      if (counts.some(({ locked }) => locked)) return { locked: true, locks: false, keys };
      for (const { key, next } of counts) {
        await tx.query(
          'UPDATE officer_login_attempt SET failures = $2, failed_at = $3, locked_until = $4 WHERE key = $1',
          [key, next.failures, next.failedAt, next.lockedUntil],
        );
      }
      return { locked: false, locks: counts.some(({ next, now }) => isLocked(next, now)), keys };
    });
  }

  /** It was no failure. Those of the address remain: an officer could else try other accounts without an end. */
  async succeeded(tx: EntityManager, { keys }: LoginAttempt): Promise<void> {
    await hold(tx, Object.values(keys));
    await tx.query(
      `UPDATE officer_login_attempt SET locked_until = NULL,
         failures = CASE WHEN key = $1 THEN greatest(failures - 1, 0) ELSE 0 END
       WHERE key = ANY($2)`,
      [keys.address, Object.values(keys)],
    );
  }

  /** An operator vouches for who it is: what others failed to guess does not keep them out. */
  async pardon(tx: EntityManager, emailIndex: Buffer): Promise<void> {
    const { account } = this.keysOf(emailIndex);
    await tx.query('UPDATE officer_login_attempt SET failures = 0, locked_until = NULL WHERE key = $1', [
      account,
    ]);
  }

  private keysOf(emailIndex: Buffer): Readonly<Record<CountedBy, Buffer>> {
    const address = currentContext()?.ipHash ?? '';
    const email = emailIndex.toString('hex');
    const keyOf = (text: string): Buffer => createHmac('sha256', this.key).update(text).digest();
    return {
      account: keyOf(`account ${email}`),
      address: keyOf(`address ${address}`),
      accountFromAddress: keyOf(`account ${email} from ${address}`),
    };
  }
}

/** In the order of their keys: no deadlock. */
async function hold(tx: EntityManager, keys: readonly Buffer[]): Promise<AttemptRow[]> {
  await tx.query(
    `INSERT INTO officer_login_attempt (key) SELECT key FROM unnest($1::bytea[]) AS key ORDER BY key
     ON CONFLICT (key) DO NOTHING`,
    [keys],
  );
  return tx.query<AttemptRow[]>(
    `SELECT key, failures, failed_at, locked_until, clock_timestamp() AS now FROM officer_login_attempt
     WHERE key = ANY($1) ORDER BY key FOR UPDATE`,
    [keys],
  );
}

function countedBy(keys: Readonly<Record<CountedBy, Buffer>>, key: Buffer): CountedBy {
  if (key.equals(keys.account)) return 'account';
  return key.equals(keys.address) ? 'address' : 'accountFromAddress';
}
