/** DESIGN.md section 7. */
export const LARGEST_IMAGE_BYTES = 10 * 1024 * 1024;
export const LARGEST_IMAGE_PIXELS = 40_000_000;
