import { createHash } from 'node:crypto';

export interface HashedNotice {
  readonly purpose: string;
  readonly language: string;
  readonly version: number;
  readonly title: string;
  readonly text: string;
}

/** SHA-256 over a JSON array of the members in this order: anybody who has the notice can compute it. */
export function noticeHash({ purpose, language, version, title, text }: HashedNotice): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(['velum notice v1', purpose, language, version, title, text]))
    .digest();
}
