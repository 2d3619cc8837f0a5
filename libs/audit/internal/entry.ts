import { randomBytes } from 'node:crypto';
import { commitmentTo } from '../verifier/verify-audit.mjs';

/** An entry as it is committed to and handed out: every member always there, the time with its microseconds. */
export interface Entry {
  readonly id: string;
  readonly at: string;
  readonly type: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly clientId: string | null;
  readonly subjectId: string | null;
  readonly galleryId: string | null;
  readonly requestId: string | null;
  readonly ipHash: string | null;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** The members of `Entry`, of a row of audit_event called `e`. */
export const ENTRY_JSON = `json_build_object(
  'id', e.id, 'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'type', e.type,
  'outcome', e.outcome, 'code', e.code, 'clientId', e.client_id, 'subjectId', e.subject_id,
  'galleryId', e.gallery_id, 'requestId', e.request_id, 'ipHash', e.ip_hash, 'details', e.details)`;

export interface Sealed {
  readonly salt: Buffer;
  readonly commitment: Buffer;
}

/** A salt for one entry, and the commitment that says nothing without it. `by`: 1 who writes, 2 the sequencer. */
export function seal(entry: Entry, by: 1 | 2): Sealed {
  const salt = randomBytes(32);
  return { salt, commitment: commitmentTo(by, salt, { ...entry }) };
}

/** To microseconds, as PostgreSQL keeps it. */
export function entryTime(at: Date): string {
  return at.toISOString().replace('Z', '000Z');
}
