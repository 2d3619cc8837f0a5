import type { ClientId, GalleryId } from '#platform/ids';
import type { DataSource } from 'typeorm';
import { OpeningsLimited, SubjectOpeningsLimited } from '../custody.errors.js';
import { Batches } from './batches.js';

/** What is kept of an opening for a year: who asked for how much, never a score. */
export interface OpeningRecord {
  /** Undefined: of a deduplication, which the port does not ask for a client. */
  readonly clientId: ClientId | undefined;
  readonly galleryId: GalleryId;
  readonly segments: number;
  readonly slots: number;
  readonly threshold: number;
  readonly passed: number;
  readonly withheld: number;
  readonly forged: number;
  readonly outcome: 'opened' | 'limited' | 'refused' | 'compared';
}

/** The custodian's own record, which neither API nor worker can write to or leave out. */
export class OpeningRecords {
  private readonly records: Batches<OpeningRecord, undefined>;

  constructor(private readonly db: DataSource) {
    this.records = new Batches((records) => this.insert(records));
  }

  /**
   * Committed when it resolves, for which an answer MUST wait, but not for the disk: within half a second it is there, or at
   * once with the next commit that waits, such as that of the audit record before the client is answered.
   */
  async add(record: OpeningRecord): Promise<void> {
    await this.records.add(record);
  }

  async forgetOld(): Promise<void> {
    await this.db.query('SELECT custody.forget_openings()');
  }

  private async insert(records: readonly OpeningRecord[]): Promise<undefined[]> {
    await this.db.query(
      `INSERT INTO custody.opening (client_id, gallery_id, segments, slots, threshold, passed, withheld, forged,
         outcome)
       SELECT r.* FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[],
         $9::text[]) AS r,
         set_config('synchronous_commit', 'off', true)`,
      [
        records.map(({ clientId }) => clientId),
        records.map(({ galleryId }) => galleryId),
        records.map(({ segments }) => segments),
        records.map(({ slots }) => slots),
        records.map(({ threshold }) => threshold),
        records.map(({ passed }) => passed),
        records.map(({ withheld }) => withheld),
        records.map(({ forged }) => forged),
        records.map(({ outcome }) => outcome),
      ],
    );
    return records.map(() => undefined);
  }
}

/** Of an opening or a comparison that was not answered. */
export function outcomeOf(error: Error): 'limited' | 'refused' {
  return error instanceof OpeningsLimited || error instanceof SubjectOpeningsLimited ? 'limited' : 'refused';
}
