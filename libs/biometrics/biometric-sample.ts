/** What a call brings of a face: photographs (JPEG, PNG, WebP), or an embedding of the gallery's model. Whoever embeds it zeroes it. */
export type BiometricSample =
  | { readonly photos: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly embedding: readonly number[] | Float64Array };

export const MOST_PHOTOS = 5;
export const MOST_TEMPLATES = 10;
export const MOST_TOP_K = 20;

/** For whoever made it, once nobody works on it: what was refused before it was embedded is in memory still. */
export function wipeSample(sample: BiometricSample): void {
  if ('embedding' in sample) {
    if (sample.embedding instanceof Float64Array) sample.embedding.fill(0);
    return;
  }
  // A photograph that was handed to a thread is no longer here, and cannot be filled.
  for (const photo of sample.photos) if (!photo.buffer.detached) photo.fill(0);
}
