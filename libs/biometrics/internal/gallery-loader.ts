import { ConsentGate } from '#consent/consent-gate';
import { KeyCustodian } from '#custody/key-custodian';
import { RowMemory } from '#homomorphic/kernel/row-memory';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import type { Score } from '#homomorphic/quantised-vector';
import { asMasks, asRow } from '#homomorphic/sealed-row';
import type { ConsentId, GalleryId, SegmentId, SubjectId, TemplateId } from '#platform/ids';
import { Thread } from '#platform/thread';
import type { DataSource } from 'typeorm';
import { GalleryNotFound } from '../biometrics.errors.js';
import type { BoundPlace } from '../template-binding.js';
import type { StoredRow, TemplateBindings } from '../template-bindings.js';
import type { GalleryMemory } from './gallery-memory.js';
import type { HeldGallery } from './held-gallery.js';
import type { LoadCalls, ReadSegment } from './load-calls.js';
import type { PackedRows } from './match-calls.js';
import type { MatchThreads } from './match-threads.js';

const TEMPLATES_AT_ONCE = 10_000;
/** While one is read from the database, the one before it goes to its thread. */
const SEGMENTS_AT_ONCE = 2;
const NO_ID = '00000000-0000-0000-0000-000000000000';

interface TemplateRow {
  readonly id: TemplateId;
  readonly subject_id: SubjectId;
  readonly consent_id: ConsentId;
  readonly segment_id: SegmentId;
  readonly slot: number;
  readonly row: Buffer | null;
  readonly binding: Buffer | null;
  readonly version: string;
}

interface ReadRows {
  readonly packed: PackedRows;
  /** Whether all rows that the index names are there. */
  readonly whole: boolean;
}

/** Brings what this process holds of a gallery up to date with the database. */
export class GalleryLoader {
  private readonly reader: Thread<LoadCalls>;

  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly custodian: KeyCustodian,
    private readonly threads: MatchThreads,
    private readonly memory: GalleryMemory,
    private readonly bindings: TemplateBindings,
    databaseUrl: string,
  ) {
    this.reader = new Thread<LoadCalls>(new URL('../load.worker.js', import.meta.url), databaseUrl);
  }

  async close(): Promise<void> {
    await this.reader.close();
  }

  /** Reads what changed and applies it; answers the database's time, by which consents are judged. */
  async refresh(held: HeldGallery): Promise<Date> {
    const { gallery, index } = held;
    await this.masks(held);
    const first = index.version === 0n;
    await this.readChanges(held);
    // Loading may take seconds: what changed meanwhile counts too, and rows that moved while they were listed.
    if ((await this.loadSegments(held)) || first) await this.readChanges(held);
    this.dropEmptied(held);
    const { clientId, purpose } = gallery;
    const consents = await this.gate.changesSince(this.db.manager, clientId, purpose, index.consentVersion);
    for (const change of consents.changes) index.applyConsent(change);
    index.consentVersion = consents.version;
    return consents.now;
  }

  /** Sees to it that a thread holds the gallery's masks. */
  async masks(held: HeldGallery): Promise<void> {
    if (this.threads.holds(held.id)) return;
    held.masks ??= this.loadMasks(held).finally(() => (held.masks = undefined));
    await held.masks;
  }

  /** The rows of a segment as they are now; slots of the index that have no genuine one are dropped from it. */
  async readSegment(held: HeldGallery, segmentId: SegmentId): Promise<ReadRows> {
    const { gallery, index } = held;
    let { read, places, forged } = await this.judgeSegment(held, segmentId);
    // A worker may have made the key, or bound rows, in between: only what is still so is made known.
    if (forged.length > 0) ({ read, places, forged } = await this.judgeSegment(held, segmentId));
    await this.bindings.report(gallery, forged);
    const there = new Set(read.slots);
    const judged = new Set([...there, ...forged.map(({ slot }) => slot)]);
    for (const { slot } of forged) there.delete(slot);
    for (const { slot } of places) if (!there.has(slot)) index.remove(segmentId, slot);
    const whole = places.every(({ slot }) => judged.has(slot));
    return { packed: { slots: read.slots, rows: read.rows }, whole };
  }

  private async judgeSegment(
    { gallery, id, words, index }: HeldGallery,
    segmentId: SegmentId,
  ): Promise<{ read: ReadSegment; places: BoundPlace[]; forged: BoundPlace[] }> {
    const key = await this.bindings.keyOf(gallery);
    const places = index
      .slots(segmentId)
      .map(([slot, template]): BoundPlace => ({ ...template, galleryId: id, segmentId, slot }));
    const read = await this.reader.call('readSegment', { galleryId: id, segmentId, words, key, places });
    const [unbound, broken] = [new Set(read.unbound), new Set(read.broken)];
    const unclear = places.filter(({ slot }) => unbound.has(slot));
    const recorded = await this.bindings.recorded(this.db.manager, id, unclear);
    const forged = places.filter(
      ({ slot, templateId }) => broken.has(slot) || (unbound.has(slot) && !recorded.has(templateId)),
    );
    return { read, places, forged };
  }

  private async loadMasks({ id, words, resident }: HeldGallery): Promise<void> {
    const seed = await this.custodian.maskSeed(id);
    const masks = asMasks(await this.reader.call('expandMasks', { seed, words }), words, SLOTS_PER_SEGMENT);
    const bytes = RowMemory.bytes(words, SLOTS_PER_SEGMENT);
    // Without its masks a gallery cannot be matched at all: they are held whatever the budget.
    this.memory.makeRoom(bytes);
    await this.threads.setMasks(id, words, masks);
    resident.set(id, bytes);
  }

  /** Templates added and removed since the held version. */
  private async readChanges(held: HeldGallery): Promise<void> {
    const { id, index } = held;
    const [head] = await this.db.query<{ version: string; threshold_score: Score }[]>(
      'SELECT version, threshold_score FROM gallery WHERE id = $1',
      [id],
    );
    if (head === undefined) throw new GalleryNotFound();
    held.threshold = head.threshold_score;
    const version = BigInt(head.version);
    if (version === index.version) return;
    // A slot is used once only, so additions may be applied before removals whatever their order was.
    await this.readAdditions(held, version);
    if (index.version > 0n) await this.readRemovals(held, version);
    index.version = version;
  }

  private async readAdditions(held: HeldGallery, version: bigint): Promise<void> {
    const { id: galleryId, gallery, index } = held;
    // At first the index alone: rows are read, and found genuine, a segment at a time.
    const first = index.version === 0n;
    const columns = first ? 'NULL AS "row", NULL AS binding' : '"row", binding';
    let last: Pick<TemplateRow, 'id' | 'version'> | undefined;
    for (;;) {
      const rows = await this.db.query<TemplateRow[]>(
        `SELECT id, subject_id, consent_id, segment_id, slot, version, ${columns} FROM template
         WHERE gallery_id = $1 AND (version, id) > ($2, $3) AND version > $4 AND version <= $5
         ORDER BY version, id LIMIT $6`,
        [
          galleryId,
          last?.version ?? '0',
          last?.id ?? NO_ID,
          index.version.toString(),
          version.toString(),
          TEMPLATES_AT_ONCE,
        ],
      );
      const stored = rows.map((row) => storedRow(galleryId, row));
      const genuine = first ? stored : await this.bindings.genuine(gallery, stored);
      await this.setRows(held, genuine);
      for (const { templateId, subjectId, consentId, segmentId, slot } of genuine) {
        index.add(segmentId, slot, { templateId, subjectId, consentId });
      }
      last = rows.at(-1);
      if (last === undefined || rows.length < TEMPLATES_AT_ONCE) return;
    }
  }

  /** New rows of segments that are in memory; other segments are read whole when they are needed. */
  private async setRows({ words, resident }: HeldGallery, rows: readonly StoredRow[]): Promise<void> {
    const changed = rows.filter((row) => resident.has(row.segmentId));
    for (const [segmentId, share] of Map.groupBy(changed, (row) => row.segmentId)) {
      const slots = Uint16Array.from(share, ({ slot }) => slot);
      const joined = Buffer.concat(share.map((each) => asRow(each.row, words)));
      await this.threads.setRows(segmentId, words, { slots, rows: new Uint8Array(joined) });
      const extent = Math.max(...slots) + 1;
      const bytes = Math.max(resident.get(segmentId) ?? 0, RowMemory.bytes(words, extent));
      resident.set(segmentId, bytes);
    }
  }

  private async readRemovals({ id, index, resident }: HeldGallery, version: bigint): Promise<void> {
    const removals = await this.db.query<{ segment_id: SegmentId; slot: number }[]>(
      'SELECT segment_id, slot FROM template_removal WHERE gallery_id = $1 AND version > $2 AND version <= $3',
      [id, index.version.toString(), version.toString()],
    );
    for (const { segment_id: segmentId, slot } of removals) {
      index.remove(segmentId, slot);
      if (resident.has(segmentId)) await this.threads.clearRow(segmentId, slot);
    }
  }

  /** Segments whose rows were all erased, or moved under new keys. */
  private dropEmptied({ id, index, resident }: HeldGallery): void {
    const known = new Set<string>([id, ...index.segmentIds]);
    const emptied = [...resident.keys()].filter((held) => !known.has(held));
    for (const segmentId of emptied) resident.delete(segmentId);
    this.threads.drop(emptied);
  }

  /** Loads what fits of the segments that are not in memory; answers whether there were any. */
  private async loadSegments(held: HeldGallery): Promise<boolean> {
    const { index, words, resident } = held;
    const missing = index.segmentIds.filter((segmentId) => !resident.has(segmentId));
    let loaded = false;
    const loadNext = async (): Promise<void> => {
      for (let segmentId = missing.shift(); segmentId !== undefined; segmentId = missing.shift()) {
        const bytes = RowMemory.bytes(words, index.extent(segmentId));
        if (!this.memory.makeRoom(bytes)) return;
        resident.set(segmentId, bytes);
        try {
          const { packed } = await this.readSegment(held, segmentId);
          await this.threads.setRows(segmentId, words, packed);
        } catch (error) {
          resident.delete(segmentId);
          throw error;
        }
        loaded = true;
      }
    };
    await Promise.all(Array.from({ length: SEGMENTS_AT_ONCE }, loadNext));
    return loaded;
  }
}

function storedRow(galleryId: GalleryId, row: TemplateRow): StoredRow {
  return {
    galleryId,
    templateId: row.id,
    subjectId: row.subject_id,
    consentId: row.consent_id,
    segmentId: row.segment_id,
    slot: row.slot,
    row: row.row ?? new Uint8Array(0),
    binding: row.binding,
  };
}
