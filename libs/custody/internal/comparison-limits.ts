import type { GalleryId } from '#platform/ids';
import type { OpeningConfig } from '#platform/opening-config';
import type { DataSource } from 'typeorm';
import { OpeningsLimited } from '../custody.errors.js';
import { MOST_PAIRS, MOST_PAIRS_OF_A_GALLERY, type Place } from '../key-custodian.js';
import { type Key, type Limited, NO_SLOT, type OpeningCounts, textOf, UNLIMITED } from './opening-counts.js';

/** A gallery of few segments is compared by few calls: some that are tried again must not be a day's. */
const FEWEST_COMPARISONS = 20;

/**
 * How often a gallery is compared with itself: by the minute, and by the day what whole deduplications of it take, and as
 * many pairs as these may find. No template is in more pairs a day than searches may find it.
 */
export class ComparisonLimits {
  constructor(
    private readonly db: DataSource,
    private readonly counts: OpeningCounts,
    private readonly limits: OpeningConfig,
  ) {}

  /** Before anything is compared; throws OpeningsLimited. A comparison counts as a pair, so that none is made when these are used up. */
  async charge(galleryId: GalleryId): Promise<void> {
    const { comparisons, pairs } = await this.daily(galleryId);
    await this.require([
      {
        ...ofGallery('comparison', galleryId),
        count: 1,
        perMinute: this.limits.comparisonsPerGalleryMinute,
        perDay: comparisons,
      },
      { ...ofGallery('pair', galleryId), count: 1, perMinute: UNLIMITED, perDay: pairs },
    ]);
  }

  /** Before pairs are answered; throws OpeningsLimited. */
  async chargePairs(galleryId: GalleryId, count: number): Promise<void> {
    if (count === 0) return;
    const { pairs: perDay } = await this.daily(galleryId);
    await this.require([{ ...ofGallery('pair', galleryId), count, perMinute: UNLIMITED, perDay }]);
  }

  /** Which of the pairs may be answered, by their places: those of a template that was in too many that day may not. */
  async grantable(pairs: readonly (readonly [Place, Place])[]): Promise<readonly boolean[]> {
    const keys = pairs.map((pair) => pair.map(ofTemplate));
    const asked = Map.groupBy(keys.flat(), textOf);
    const left = await this.counts.take(
      [...asked.values()].flatMap((same): Limited[] => {
        const [key] = same;
        if (key === undefined) return [];
        return [{ ...key, count: same.length, perMinute: UNLIMITED, perDay: this.limits.perSubjectDay }];
      }),
    );
    return keys.map((both) => {
      const texts = both.map(textOf);
      if (texts.some((text) => (left.get(text) ?? 0) < 1)) return false;
      for (const text of texts) left.set(text, (left.get(text) ?? 0) - 1);
      return true;
    });
  }

  private async require(keys: readonly Limited[]): Promise<void> {
    const refusal = await this.counts.charge(keys);
    if (refusal !== undefined) throw new OpeningsLimited([], refusal.wait);
  }

  /** Of so many segments each is compared with itself and with those after it. */
  private async daily(galleryId: GalleryId): Promise<{ comparisons: number; pairs: number }> {
    const [found] = await this.db.query<{ segments: number }[]>(
      'SELECT count(*)::int AS segments FROM custody.segment WHERE gallery_id = $1',
      [galleryId],
    );
    const segments = found?.segments ?? 0;
    const whole = (segments * (segments + 1)) / 2;
    const times = this.limits.deduplicationsPerGalleryDay;
    const comparisons = Math.min(UNLIMITED, times * Math.max(FEWEST_COMPARISONS, whole));
    const pairs = times * Math.min(MOST_PAIRS_OF_A_GALLERY, MOST_PAIRS * whole);
    return { comparisons, pairs: Math.min(UNLIMITED, comparisons + pairs) };
  }
}

function ofGallery(kind: Key['kind'], id: GalleryId): Key {
  return { kind, id, slot: NO_SLOT };
}

function ofTemplate({ segmentId, slot }: Place): Key {
  return { kind: 'alike', id: segmentId, slot };
}
