import { asMaskSeed } from '#homomorphic/mask-seed';
import type { Thread } from '#platform/thread';
import type { DataSource, EntityManager } from 'typeorm';
import type { WrappingKeys } from '../wrapping-keys.js';
import { mayAdopt } from './adoption.js';
import type { SealCalls } from './seal-calls.js';

/** Rows are locked for as long as a batch takes: milliseconds. */
const BATCH = 100;

interface SecretRow {
  readonly id: string;
  readonly gallery_id: string;
  readonly secret: Buffer;
  readonly mask_seed: Buffer;
}

/**
 * Puts every segment's secret under the first key of custody_encryption_key. Any number of processes may, each takes rows
 * that no other has, and whatever is killed has done nothing of its batch.
 */
export class Rewrapping {
  constructor(
    private readonly db: DataSource,
    private readonly keys: WrappingKeys,
    private readonly thread: Thread<SealCalls>,
  ) {}

  /**
   * Before the first segment is opened: a new installation has nothing under a key that others know. Answers whether
   * there may be secrets to put under another key.
   */
  async begin(): Promise<boolean> {
    await this.register();
    if (!(await mayAdopt(this.db.manager, this.keys.adoptionHours))) return false;
    // Also by one whose first key is no longer the newest: what it makes must not be under a key that others know.
    await this.thread.call('adopt', null);
    return this.isNewest();
  }

  async run(): Promise<void> {
    if (!(await this.begin())) return;
    for (let after: string | undefined; ;) {
      after = await this.db.transaction((tx) => this.batch(tx, after));
      if (after === undefined) break;
    }
    await this.conclude();
  }

  private async batch(tx: EntityManager, after: string | undefined): Promise<string | undefined> {
    const { currentKeyId } = this.keys.own;
    const rows = await tx.query<SecretRow[]>(
      `SELECT s.id, s.gallery_id, s.secret, k.mask_seed
       FROM custody.segment s JOIN custody.key_set k ON k.gallery_id = s.gallery_id
       WHERE custody.key_of(s.secret) <> $1 AND ($2::uuid IS NULL OR s.id > $2)
       ORDER BY s.id LIMIT ${BATCH} FOR NO KEY UPDATE OF s SKIP LOCKED`,
      [currentKeyId, after ?? null],
    );
    const fresh = await this.thread.call(
      'rewrap',
      rows.map(({ id, gallery_id, secret, mask_seed }) => ({
        galleryId: gallery_id,
        segmentId: id,
        maskSeed: asMaskSeed(mask_seed),
        wrapped: new Uint8Array(secret),
        // Within the wrapping, which alone is made anew.
        share: undefined,
      })),
    );
    // What no key opens stays as it is.
    const done = rows.flatMap(({ id }, i) => {
      const wrapped = fresh[i];
      return wrapped === undefined ? [] : [{ id, wrapped: Buffer.from(wrapped) }];
    });
    if (done.length > 0) {
      await tx.query(
        `UPDATE custody.segment s SET secret = n.secret FROM unnest($1::uuid[], $2::bytea[]) AS n (id, secret)
         WHERE s.id = n.id`,
        [done.map(({ id }) => id), done.map(({ wrapped }) => wrapped)],
      );
      await tx.query(
        'UPDATE custody.wrapping_key SET resealed = resealed + $2, ended_at = NULL WHERE key_id = $1',
        [currentKeyId, done.length],
      );
    }
    return rows.at(-1)?.id;
  }

  /** In the order in which they came; of several that come at once the old one is that which has the secrets, or else stands last. */
  private async register(): Promise<void> {
    await this.db.query(
      `INSERT INTO custody.wrapping_key (key_id)
       SELECT key_id FROM unnest($1::text[]) WITH ORDINALITY AS fresh (key_id, line)
       WHERE NOT EXISTS (SELECT FROM custody.wrapping_key w WHERE w.key_id = fresh.key_id)
       ORDER BY (SELECT count(*) FROM custody.segment s WHERE custody.key_of(s.secret) = fresh.key_id) DESC, line DESC
       ON CONFLICT DO NOTHING`,
      [this.keys.own.keyIds],
    );
  }

  /** During a deploy a custodian still runs whose first key is the old one: it must not undo what the new one does. */
  private async isNewest(): Promise<boolean> {
    const { keyIds, currentKeyId } = this.keys.own;
    const [newest] = await this.db.query<{ key_id: string }[]>(
      'SELECT key_id FROM custody.wrapping_key WHERE key_id = ANY($1) ORDER BY place DESC LIMIT 1',
      [keyIds],
    );
    return newest?.key_id === currentKeyId;
  }

  private async conclude(): Promise<void> {
    await this.db.query(
      `UPDATE custody.wrapping_key SET ended_at = now() WHERE key_id = $1 AND ended_at IS NULL
         AND NOT EXISTS (SELECT FROM custody.segment s WHERE custody.key_of(s.secret) <> $1)`,
      [this.keys.own.currentKeyId],
    );
  }
}
