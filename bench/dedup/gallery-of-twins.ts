import { bindingOf } from '#biometrics/template-binding';
import type { TemplateBindings } from '#biometrics/template-bindings';
import type { KeyCustodian } from '#custody/key-custodian';
import { quantiseTemplate } from '#homomorphic/quantised-vector';
import { asId, newId } from '#platform/ids';
import type { Pool } from 'pg';
import { nearFace, randomFace } from '../faces-in-space.js';

const ROWS_AT_ONCE = 2_000;

/** Every so many faces one is that of the first, the second, … once more, under another subject. */
export const FACES_A_TWIN = 1_000;

/**
 * Fills a gallery past the API: a subject with a consent of its own for each template. `like`: a subject whose consent the
 * others' are copies of.
 */
export async function fillWithTwins(
  owner: Pool,
  custodian: KeyCustodian,
  bindings: TemplateBindings,
  { galleryId, like, dimension, size }: { galleryId: string; like: string; dimension: number; size: number },
): Promise<void> {
  const id = asId<'gallery'>(galleryId);
  const key = await bindings.keyOf({ id, bindingKey: null });
  if (key === undefined) throw new Error('a gallery without a binding key');
  for (let first = 0; first < size; first += ROWS_AT_ONCE) {
    const places = Array.from({ length: Math.min(ROWS_AT_ONCE, size - first) }, (_, i) => first + i);
    const sealed = await custodian.seal(
      id,
      places.map((n) => quantiseTemplate(faceAt(n, dimension))),
    );
    const bound = sealed.map((template) => ({
      ...template,
      galleryId: id,
      templateId: newId<'template'>(),
      subjectId: newId<'subject'>(),
      consentId: newId<'consent'>(),
    }));
    await owner.query(
      `WITH made AS (
         SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::bytea[], $9::bytea[])
           AS made (subject_id, consent_id, template_id, segment_id, slot, sealed, binding)
       ), subjects AS (
         INSERT INTO subject (id, client_id) SELECT made.subject_id, client_id FROM made, subject WHERE id = $1
       ), consents AS (
         INSERT INTO consent (id, client_id, subject_id, purpose, notice_id, version)
         SELECT made.consent_id, client_id, made.subject_id, purpose, notice_id, version
         FROM made, consent WHERE consent.subject_id = $1
       )
       INSERT INTO template (id, gallery_id, subject_id, consent_id, segment_id, slot, "row", photos, version, binding)
       SELECT template_id, $8, subject_id, consent_id, segment_id, slot, sealed, 0, 1, binding FROM made`,
      [
        like,
        bound.map(({ subjectId }) => subjectId),
        bound.map(({ consentId }) => consentId),
        bound.map(({ templateId }) => templateId),
        sealed.map(({ segmentId }) => segmentId),
        sealed.map(({ slot }) => slot),
        sealed.map(({ row }) => Buffer.from(row)),
        galleryId,
        bound.map((place) => bindingOf(key, place, place.row)),
      ],
    );
  }
}

function faceAt(n: number, dimension: number): number[] {
  const twin = n > 0 && n % FACES_A_TWIN === 0;
  return twin ? nearFace(randomFace(n / FACES_A_TWIN, dimension), n) : randomFace(n, dimension);
}
