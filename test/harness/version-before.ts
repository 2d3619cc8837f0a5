import type { Stack } from './stack.js';

/** Makes of a gallery's templates what the version before kept, which bound none and recorded none as bound. */
export async function asOfTheVersionBefore({ owner }: Stack, galleryId: string): Promise<void> {
  await owner.query('UPDATE template SET binding = NULL WHERE gallery_id = $1', [galleryId]);
  await owner.query("UPDATE audit_event SET details = details - 'bound' WHERE gallery_id = $1", [galleryId]);
}
