import type { ClientId, GalleryId } from '#platform/ids';
import type { OpeningConfig } from '#platform/opening-config';
import { OpeningsLimited, SubjectOpeningsLimited } from '../custody.errors.js';
import type { Place } from '../key-custodian.js';
import { type Key, NO_SLOT, type OpeningCounts, textOf, UNLIMITED } from './opening-counts.js';

/** What an opening counts against. */
export interface OpeningCharge {
  readonly clientId: ClientId;
  readonly galleryId: GalleryId;
  /** Of the one person that it asks about. */
  readonly templates: readonly Place[];
}

/** How often scores are opened for a client, in a gallery and of a template. */
export class OpeningLimits {
  constructor(
    private readonly counts: OpeningCounts,
    private readonly limits: OpeningConfig,
  ) {}

  /** Throws OpeningsLimited or SubjectOpeningsLimited where one of the limits is reached. */
  async charge({ clientId, galleryId, templates }: OpeningCharge): Promise<void> {
    const { perClientMinute, perGalleryMinute, perSubjectMinute, perSubjectDay } = this.limits;
    const places = new Map(
      templates.map((place) => [textOf(keyOf('template', place)), keyOf('template', place)]),
    );
    const whole = { slot: NO_SLOT, count: 1, perDay: UNLIMITED } as const;
    const refusal = await this.counts.charge([
      { kind: 'client', id: clientId, perMinute: perClientMinute, ...whole },
      { kind: 'gallery', id: galleryId, perMinute: perGalleryMinute, ...whole },
      ...Array.from(places.values(), (key) => ({
        ...key,
        count: 1,
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
    const key = { ...keyOf('found', place), count: 1, perMinute: UNLIMITED, perDay: perSubjectDay };
    return (await this.counts.charge([key])) === undefined;
  }
}

function keyOf(kind: Key['kind'], { segmentId, slot }: Place): Key {
  return { kind, id: segmentId, slot };
}
