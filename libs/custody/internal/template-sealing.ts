import { paddedDimension, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { QuantisedTemplate } from '#homomorphic/quantised-vector';
import type { GalleryId } from '#platform/ids';
import { timed } from '#platform/metrics';
import type { Thread } from '#platform/thread';
import { OpeningRefused } from '../custody.errors.js';
import type { PlacedRows, SealedTemplate } from '../key-custodian.js';
import type { KeyGenerations } from './key-generations.js';
import type { KeysInUse } from './keys-in-use.js';
import type { OpeningCounts } from './opening-counts.js';
import { placedRows, requireRows } from './placed-rows.js';
import type { RetiredSlots } from './retired-slots.js';
import type { SealCalls } from './seal-calls.js';
import type { SegmentLedger, TakenSlots } from './segment-ledger.js';
import { type SegmentOpener, SLOTS_AHEAD } from './segment-opener.js';

/** A few milliseconds of the sealing thread's time, so that an enrolment never waits for a whole list. */
const SEALED_AT_ONCE = 128;

/** Puts templates under pads that nobody else was given: those that come, and those that move to new keys. */
export class TemplateSealing {
  constructor(
    private readonly ledger: SegmentLedger,
    private readonly opener: SegmentOpener,
    private readonly retired: RetiredSlots,
    private readonly generations: KeyGenerations,
    private readonly inUse: KeysInUse,
    private readonly counts: OpeningCounts,
    private readonly thread: Thread<SealCalls>,
  ) {}

  async seal(
    galleryId: GalleryId,
    templates: readonly QuantisedTemplate[],
  ): Promise<readonly SealedTemplate[]> {
    const sealed: SealedTemplate[] = [];
    try {
      while (sealed.length < templates.length) {
        const taken = await this.takeSlots(galleryId, templates.length - sealed.length);
        const rest = templates.slice(sealed.length, sealed.length + taken.count);
        for (let at = 0; at < rest.length; at += SEALED_AT_ONCE) {
          sealed.push(...(await this.sealUnder(taken, at, rest.slice(at, at + SEALED_AT_ONCE))));
        }
      }
      return sealed;
    } finally {
      // Those that no thread has taken over, which zeroes them; of the others nothing is left here.
      for (const template of templates) if (template.length > 0) template.fill(0);
    }
  }

  async reseal(galleryId: GalleryId, placed: PlacedRows): Promise<readonly SealedTemplate[]> {
    const { dimension } = await this.inUse.keySetOf(galleryId);
    const words = paddedDimension(dimension);
    requireRows(placed, words);
    await this.generations.requireEarlier(galleryId, placed.segmentId);
    const [from] = await this.ledger.require(galleryId, [placed]);
    if (from === undefined) throw new OpeningRefused('a segment without a key');
    const resealed: SealedTemplate[] = [];
    while (resealed.length < placed.slots.length) {
      const taken = await this.takeSlots(galleryId, placed.slots.length - resealed.length);
      for (let done = 0; done < taken.count; done += SEALED_AT_ONCE) {
        const at = resealed.length;
        const end = at + Math.min(SEALED_AT_ONCE, taken.count - done);
        const slots = placed.slots.slice(at, end);
        const rows = placed.rows.slice(at * words * 4, end * words * 4);
        const { key: to, first } = taken;
        const moved = await timed('reseal', () =>
          this.thread.call('moveRows', { from, slots, rows, to, first: first + done, words }),
        );
        resealed.push(...placedRows(to, first + done, moved, words));
      }
    }
    // Whose row is gone, also meanwhile, stays gone: before anybody has the new row, its slot is retired, too.
    const { retirements } = await this.inUse.keySetOf(galleryId);
    const [live] = await this.retired.among(galleryId, retirements, [placed]);
    if (live !== undefined) {
      const kept = new Set(live);
      await this.retired.add(resealed.filter((_, i) => !kept.has(i)));
    }
    const { segmentId } = placed;
    await this.counts.carryOver(
      Array.from(placed.slots, (slot) => ({ segmentId, slot })),
      resealed,
    );
    return resealed;
  }

  private async takeSlots(galleryId: GalleryId, most: number): Promise<TakenSlots> {
    this.inUse.note(galleryId);
    for (;;) {
      const taken = await this.ledger.take(galleryId, most);
      if (taken === undefined) {
        // Others may take all of the new segment's slots in the meantime: then the next one is opened.
        await this.opener.open(galleryId, 1);
        continue;
      }
      // The last slots of a segment are used while the next is opened.
      if (taken.first + taken.count > SLOTS_PER_SEGMENT - SLOTS_AHEAD) this.opener.openAhead(galleryId);
      return taken;
    }
  }

  private async sealUnder(
    { key, dimension, first }: TakenSlots,
    skipped: number,
    templates: readonly QuantisedTemplate[],
  ): Promise<SealedTemplate[]> {
    const words = paddedDimension(dimension);
    if (templates.some(({ length }) => length !== words))
      throw new RangeError('a template of another dimension');
    const start = first + skipped;
    const rows = await timed('seal', () =>
      this.thread.call(
        'seal',
        { key, first: start, templates },
        templates.map(({ buffer }) => buffer),
      ),
    );
    return placedRows(key, start, rows, words);
  }
}
