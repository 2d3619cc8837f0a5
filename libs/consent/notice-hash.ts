import { NOTICE_ITEMS } from '#policy/consent-rules';
import { createHash } from 'node:crypto';
import type { NoticeItems } from './notice-items.js';

export interface HashedNotice {
  readonly purpose: string;
  readonly language: string;
  readonly version: number;
  readonly title: string;
  readonly text: string;
  readonly items: NoticeItems | null;
  readonly jurisdiction: string | null;
  readonly renewBy: Date | null;
  readonly previousHash: Buffer | null;
}

/**
 * SHA-256 over a JSON array of the members in this order: anybody who has the notice can compute it, and through
 * `previousHash` every version vouches for all before it. Notices of format 1 have the first five alone, after
 * "velum notice v1".
 */
export function noticeHash(notice: HashedNotice): Buffer {
  const { purpose, language, version, title, text, items, jurisdiction, renewBy, previousHash } = notice;
  const listed =
    items &&
    NOTICE_ITEMS.flatMap((item) => {
      const said = items[item];
      return said === undefined ? [] : [[item, said]];
    });
  const head = ['velum notice v2', purpose, language, version, title, text];
  const tail = [listed, jurisdiction, renewBy?.toISOString() ?? null, previousHash?.toString('hex') ?? null];
  return createHash('sha256')
    .update(JSON.stringify([...head, ...tail]))
    .digest();
}
