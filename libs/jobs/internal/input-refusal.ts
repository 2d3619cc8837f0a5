import { GalleryNotFound } from '#biometrics/biometrics.errors';
import { KeySetNotFound, TooManyPairs } from '#custody/custody.errors';
import { type InputRefusal, InputRefused } from '../jobs.errors.js';

/** Of an error that ends the whole job. */
export function inputRefusalOf(error: unknown): InputRefusal | undefined {
  if (error instanceof InputRefused) return error.code;
  if (error instanceof TooManyPairs) return 'too_many_pairs';
  const gone = error instanceof GalleryNotFound || error instanceof KeySetNotFound;
  return gone ? 'gallery_not_found' : undefined;
}
