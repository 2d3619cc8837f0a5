import { createHmac, timingSafeEqual } from 'node:crypto';
import { InvalidCursor } from './platform.errors.js';

export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** Opaque, signed cursors: an id of the last row of a page, which a client can hand back but not make up. */
export class Cursors {
  private readonly key: Buffer;

  constructor(secretKey: Buffer) {
    this.key = createHmac('sha256', secretKey).update('velum cursor v1').digest();
  }

  encode(list: string, lastId: string): string {
    return Buffer.concat([this.tag(list, lastId), Buffer.from(lastId)]).toString('base64url');
  }

  decode(list: string, cursor: string): string {
    const bytes = Buffer.from(cursor, 'base64url');
    const lastId = bytes.subarray(16).toString();
    if (bytes.length !== 52 || !timingSafeEqual(bytes.subarray(0, 16), this.tag(list, lastId))) {
      throw new InvalidCursor();
    }
    return lastId;
  }

  /** `rows` holds up to limit + 1 rows: the one too many only tells that there is a next page. */
  page<Row extends { id: string }, T>(
    list: string,
    request: PageRequest,
    rows: readonly Row[],
    show: (row: Row) => T,
  ): Page<T> {
    const shown = rows.slice(0, request.limit);
    const last = shown.at(-1);
    const more = rows.length > request.limit && last !== undefined;
    return { items: shown.map(show), nextCursor: more ? this.encode(list, last.id) : null };
  }

  private tag(list: string, lastId: string): Buffer {
    return createHmac('sha256', this.key).update(`${list}\n${lastId}`).digest().subarray(0, 16);
  }
}
