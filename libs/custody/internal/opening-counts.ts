import type { DataSource } from 'typeorm';
import type { Place } from '../key-custodian.js';
import { Batches } from './batches.js';

/** What is counted. */
export interface Key {
  /**
   * `found`: a template, by searches: whom one verifies too often, searches still find. `comparison` and `pair`: of a
   * gallery with itself. `alike`: a template, by the pairs that it is in.
   */
  readonly kind: 'client' | 'gallery' | 'template' | 'found' | 'comparison' | 'pair' | 'alike';
  readonly id: string;
  readonly slot: number;
}

export interface Limited extends Key {
  readonly count: number;
  readonly perMinute: number;
  readonly perDay: number;
}

export interface Refusal {
  readonly kind: Key['kind'];
  /** Seconds until it counts anew. */
  readonly wait: number;
}

interface Grant {
  granted: number;
  readonly wait: number;
}

/** Of the row of a client or a gallery. */
export const NO_SLOT = -1;

export const UNLIMITED = 2 ** 31 - 1;

/** A busy gate must be served again soon, and a job goes on; a template that is asked about too often can wait. */
const LONGEST_BACK_OFF = {
  client: 60,
  gallery: 60,
  comparison: 60,
  pair: 60,
  template: 3_600,
  found: 3_600,
  alike: 3_600,
} as const;

/** The planner takes few for granted. */
const KEYS_AT_ONCE = 500;

const CHARGE = 'SELECT * FROM custody.charge_openings($1, $2, $3, $4, $5, $6, $7)';

/** Counts in PostgreSQL, for all replicas; docs/threat-model.md#openings says what they stop. */
export class OpeningCounts {
  private readonly charges: Batches<readonly Limited[], Refusal | undefined>;

  constructor(private readonly db: DataSource) {
    this.charges = new Batches((charges) => this.chargeAll(charges));
  }

  /** Counts all of them, each key once; the longest refusal if one limit is reached. */
  charge(keys: readonly Limited[]): Promise<Refusal | undefined> {
    return this.charges.add(keys);
  }

  /** How many of each key's count are left, by textOf; these count. */
  async take(keys: readonly Limited[]): Promise<Map<string, number>> {
    const sorted = keys.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
    const taken = new Map<string, number>();
    for (let first = 0; first < sorted.length; first += KEYS_AT_ONCE) {
      const grants = await this.grant(sorted.slice(first, first + KEYS_AT_ONCE));
      for (const [text, { granted }] of grants) taken.set(text, granted);
    }
    return taken;
  }

  /**
   * What was counted of the templates at these places counts on at the new ones, pair by pair: to move a gallery to new
   * keys gives nobody more openings.
   */
  async carryOver(from: readonly Place[], to: readonly Place[]): Promise<void> {
    await this.db.query(
      `INSERT INTO custody.opening_count (kind, id, slot, minute, in_minute, in_day, strikes, blocked_until)
       SELECT c.kind, moved.to_id, moved.to_slot, c.minute, c.in_minute, c.in_day, c.strikes, c.blocked_until
       FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[]) AS moved (from_id, from_slot, to_id, to_slot)
       JOIN custody.opening_count c ON c.id = moved.from_id AND c.slot = moved.from_slot
       WHERE c.kind IN ('template', 'found', 'alike')
       ON CONFLICT (kind, id, slot) DO NOTHING`,
      [
        from.map(({ segmentId }) => segmentId),
        from.map(({ slot }) => slot),
        to.map(({ segmentId }) => segmentId),
        to.map(({ slot }) => slot),
      ],
    );
  }

  /** Rows of days that are over. */
  async forgetOld(): Promise<void> {
    await this.db.query(
      `DELETE FROM custody.opening_count
       WHERE minute < date_trunc('day', now(), 'UTC') AND blocked_until < now() - interval '1 hour'`,
    );
  }

  private async chargeAll(charges: readonly (readonly Limited[])[]): Promise<(Refusal | undefined)[]> {
    const grants = await this.grant(charges.flat());
    return charges.map((keys) => {
      let refusal: Refusal | undefined;
      for (const key of keys) {
        const grant = grants.get(textOf(key));
        if (grant === undefined) throw new Error('a limit that was not judged');
        if (grant.granted >= key.count) {
          grant.granted -= key.count;
          continue;
        }
        const wait = Math.max(1, grant.wait);
        if (refusal === undefined || wait > refusal.wait) refusal = { kind: key.kind, wait };
      }
      return refusal;
    });
  }

  /** How many of each key are granted of those that ask for it. */
  private async grant(keys: readonly Limited[]): Promise<Map<string, Grant>> {
    const asked = [...Map.groupBy(keys, textOf).values()].flatMap((same) => {
      const [first] = same;
      const count = same.reduce((sum, each) => sum + each.count, 0);
      return first === undefined ? [] : [{ ...first, count }];
    });
    const rows = await this.db.query<(Key & Grant)[]>(CHARGE, [
      asked.map(({ kind }) => kind),
      asked.map(({ id }) => id),
      asked.map(({ slot }) => slot),
      asked.map(({ count }) => count),
      asked.map(({ perMinute }) => perMinute),
      asked.map(({ perDay }) => perDay),
      asked.map(({ kind }) => LONGEST_BACK_OFF[kind]),
    ]);
    return new Map(rows.map((row) => [textOf(row), { granted: row.granted, wait: row.wait }]));
  }
}

/** In lower case, as PostgreSQL writes ids. */
export function textOf({ kind, id, slot }: Key): string {
  return `${kind} ${id.toLowerCase()} ${slot}`;
}
