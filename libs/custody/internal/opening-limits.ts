import type { ClientId, GalleryId } from '#platform/ids';
import type { OpeningConfig } from '#platform/opening-config';
import type { DataSource } from 'typeorm';
import { OpeningsLimited, SubjectOpeningsLimited } from '../custody.errors.js';
import type { Place } from '../key-custodian.js';
import { Batches } from './batches.js';

/** What an opening counts against. */
export interface OpeningCharge {
  readonly clientId: ClientId;
  readonly galleryId: GalleryId;
  /** Of the one person that it asks about. */
  readonly templates: readonly Place[];
}

interface Key {
  /** `found`: a template, by searches. Whom one verifies too often, searches still find. */
  readonly kind: 'client' | 'gallery' | 'template' | 'found';
  readonly id: string;
  readonly slot: number;
}

interface Limited extends Key {
  readonly perMinute: number;
  readonly perDay: number;
}

interface Grant {
  granted: number;
  /** Seconds until it counts anew. */
  readonly wait: number;
}

interface Refusal {
  readonly kind: Key['kind'];
  readonly wait: number;
}

/** Of the row of a client or a gallery. */
const NO_SLOT = -1;

const UNLIMITED = 2 ** 31 - 1;

/** A busy gate must be served again soon; a template that is asked about too often can wait. */
const LONGEST_BACK_OFF = { client: 60, gallery: 60, template: 3_600, found: 3_600 } as const;

const CHARGE = 'SELECT * FROM custody.charge_openings($1, $2, $3, $4, $5, $6, $7)';

/** How often scores are opened for a client, in a gallery and of a template: counted in PostgreSQL, for all replicas. */
export class OpeningLimits {
  private readonly charges: Batches<readonly Limited[], Refusal | undefined>;

  constructor(
    private readonly db: DataSource,
    private readonly limits: OpeningConfig,
  ) {
    this.charges = new Batches((charges) => this.chargeAll(charges));
  }

  /** Throws OpeningsLimited or SubjectOpeningsLimited where one of the limits is reached. */
  async charge({ clientId, galleryId, templates }: OpeningCharge): Promise<void> {
    const { perClientMinute, perGalleryMinute, perSubjectMinute, perSubjectDay } = this.limits;
    const places = new Map(
      templates.map((place) => [textOf(keyOf('template', place)), keyOf('template', place)]),
    );
    const refusal = await this.charges.add([
      { kind: 'client', id: clientId, slot: NO_SLOT, perMinute: perClientMinute, perDay: UNLIMITED },
      { kind: 'gallery', id: galleryId, slot: NO_SLOT, perMinute: perGalleryMinute, perDay: UNLIMITED },
      ...Array.from(places.values(), (key) => ({
        ...key,
        perMinute: perSubjectMinute,
        perDay: perSubjectDay,
      })),
    ]);
    if (refusal === undefined) return;
    const Limited = refusal.kind === 'template' ? SubjectOpeningsLimited : OpeningsLimited;
    throw new Limited([], refusal.wait);
  }

  /** Counts that a search found this template. There may be many searches a minute, but not all day. */
  async mayBeFound(place: Place): Promise<boolean> {
    const { perSubjectDay } = this.limits;
    const key = { ...keyOf('found', place), perMinute: UNLIMITED, perDay: perSubjectDay };
    return (await this.charges.add([key])) === undefined;
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
        if (grant.granted-- > 0) continue;
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
      return first === undefined ? [] : [{ ...first, count: same.length }];
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

function keyOf(kind: Key['kind'], { segmentId, slot }: Place): Key {
  return { kind, id: segmentId, slot };
}

/** In lower case, as PostgreSQL writes ids. */
function textOf({ kind, id, slot }: Key): string {
  return `${kind} ${id.toLowerCase()} ${slot}`;
}
