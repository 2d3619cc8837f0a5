import type { ClientId, GalleryId, SubjectId } from '#platform/ids';
import { AffectedFilterEmpty } from '../incidents.errors.js';

/** Whom an incident affects: those who meet all conditions that are given. */
export interface AffectedFilter {
  readonly clientId?: ClientId;
  readonly galleryId?: GalleryId;
  readonly jurisdiction?: string;
  readonly purpose?: string;
  /** Enrolled (in the gallery, if one is given) at or after, and before. */
  readonly enrolledFrom?: Date;
  readonly enrolledTo?: Date;
  /** Compared with a face (in the gallery, if one is given) at or after, and before. */
  readonly matchedFrom?: Date;
  readonly matchedTo?: Date;
  readonly subjectIds?: readonly SubjectId[];
}

/** Of who asked to be erased the law may have data held for a time, which can be breached like any other. */
const SOMETHING_IS_HELD = `(s.erased_at IS NULL
  OR EXISTS (SELECT FROM destruction d WHERE d.subject_id = s.id AND d.destroyed_at IS NULL))`;

/** A query for `subject s` that holds nothing of the filter but parameters. Of whom nothing is left is not found. */
export function affectedQuery(filter: AffectedFilter): { where: string; values: unknown[] } {
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const conditions: string[] = [];
  const { clientId, galleryId, jurisdiction, purpose, subjectIds } = filter;
  const { enrolledFrom, enrolledTo, matchedFrom, matchedTo } = filter;
  if (clientId !== undefined) conditions.push(`s.client_id = ${value(clientId)}`);
  if (jurisdiction !== undefined) conditions.push(`s.jurisdiction = ${value(jurisdiction)}`);
  if (subjectIds !== undefined) conditions.push(`s.id = ANY(${value(subjectIds)})`);
  if (purpose !== undefined) {
    conditions.push(`s.id IN (SELECT c.subject_id FROM consent c WHERE c.purpose = ${value(purpose)})`);
  }
  const gallery = galleryId === undefined ? [] : [`gallery_id = ${value(galleryId)}`];
  const within = (from: Date | undefined, to: Date | undefined, column: string): string[] => {
    if (from !== undefined && to !== undefined && to <= from) throw new AffectedFilterEmpty();
    return [
      ...gallery,
      ...(from === undefined ? [] : [`${column} >= ${value(from)}`]),
      ...(to === undefined ? [] : [`${column} < ${value(to)}`]),
    ];
  };
  const matched = matchedFrom !== undefined || matchedTo !== undefined;
  if (enrolledFrom !== undefined || enrolledTo !== undefined || (galleryId !== undefined && !matched)) {
    // A template that was replaced or erased since is in the log alone; of one older than the log there is the row,
    // with those in use or with those that are held.
    conditions.push(
      `s.id IN (
         SELECT subject_id FROM template WHERE ${within(enrolledFrom, enrolledTo, 'created_at').join(' AND ')}
         UNION SELECT c.subject_id FROM consent c JOIN held_template t ON t.consent_id = c.id
         WHERE ${within(enrolledFrom, enrolledTo, 't.created_at').join(' AND ')}
         UNION SELECT subject_id FROM audit_event
         WHERE ${["type = 'template.enrolled'", "outcome = 'ok'", ...within(enrolledFrom, enrolledTo, 'at')].join(' AND ')})`,
    );
  }
  if (matched) {
    const type = "type IN ('subject.verified', 'gallery.identified')";
    conditions.push(
      `s.id IN (SELECT subject_id FROM audit_event
         WHERE ${[type, "outcome <> 'refused'", ...within(matchedFrom, matchedTo, 'at')].join(' AND ')})`,
    );
  }
  if (conditions.length === 0) throw new AffectedFilterEmpty();
  return { where: [SOMETHING_IS_HELD, ...conditions].join(' AND '), values };
}
