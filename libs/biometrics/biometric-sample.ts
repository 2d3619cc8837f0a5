/** What a call brings of a face: photographs (JPEG, PNG, WebP), or an embedding of the gallery's model. Whoever embeds it zeroes it. */
export type BiometricSample =
  | { readonly photos: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly embedding: readonly number[] | Float64Array };

export const MOST_PHOTOS = 5;
export const MOST_TEMPLATES = 10;
export const MOST_TOP_K = 20;
