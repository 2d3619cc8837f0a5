import type { SubjectId } from '#platform/ids';
import { createHash } from 'node:crypto';

/**
 * Lists of the erased are kept for as long as a backup from before them, and name nobody. An id has 74 random bits
 * (RFC 9562 section 5.7): nobody guesses it without a key, and a key that is replaced would make older lists useless.
 */
export function hashOf(subjectId: SubjectId): string {
  return createHash('sha256').update(`velum erased subject ${subjectId}`).digest('hex');
}
