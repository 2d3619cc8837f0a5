import sharp from 'sharp';
import { ImageRefused } from './face-analysis.js';
import { LARGEST_IMAGE_BYTES, LARGEST_IMAGE_PIXELS } from './image-limits.js';

const LONGEST_SIDE = 640;
const BORDER = 0.3;
const GREY = 127;

/** An upright sRGB image, 3 bytes a pixel, with a grey border. */
export interface DecodedImage {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  /** Pixels of border on each side. */
  readonly border: number;
  /** Pixels of the upright original for each pixel here. */
  readonly scale: number;
}

// One image at a time for each worker: libvips' own threads and cache would only add memory.
sharp.concurrency(1);
sharp.cache(false);

/** Decodes a JPEG, PNG or WebP within the limits; throws ImageRefused. */
export async function decodeImage(bytes: Uint8Array): Promise<DecodedImage> {
  if (bytes.length > LARGEST_IMAGE_BYTES) throw new ImageRefused('image_too_large');
  if (!isSupported(bytes)) throw new ImageRefused('unsupported_image');
  const options = { limitInputPixels: LARGEST_IMAGE_PIXELS, failOn: 'error', pages: 1 } as const;
  try {
    const header = await sharp(bytes, { ...options, limitInputPixels: false }).metadata();
    if (header.width * header.height > LARGEST_IMAGE_PIXELS) throw new ImageRefused('image_too_large');
    const { data, info } = await sharp(bytes, options)
      .autoOrient()
      .resize(LONGEST_SIDE, LONGEST_SIDE, { fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new ImageRefused('image_unreadable');
    const scale = Math.max(header.width, header.height) / Math.max(info.width, info.height);
    return addBorder(data, info.width, info.height, scale);
  } catch (error) {
    throw error instanceof ImageRefused ? error : new ImageRefused('image_unreadable');
  }
}

/** By the first bytes: libvips would also read SVG, PDF and more, whose decoders are no place for strangers' files. */
function isSupported(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.length));
  const jpeg = head.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));
  const png = head.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
  const webp =
    head.subarray(0, 4).toString('latin1') === 'RIFF' && head.subarray(8, 12).toString('latin1') === 'WEBP';
  return jpeg || png || webp;
}

/** BlazeFace reports a face that fills the frame two to four times; a border cures it (FACES.md). */
function addBorder(pixels: Buffer, width: number, height: number, scale: number): DecodedImage {
  const border = Math.round(Math.max(width, height) * BORDER);
  const outer = { width: width + 2 * border, height: height + 2 * border };
  const data = Buffer.alloc(outer.width * outer.height * 3, GREY);
  for (let y = 0; y < height; y++) {
    pixels.copy(data, ((y + border) * outer.width + border) * 3, y * width * 3, (y + 1) * width * 3);
  }
  pixels.fill(0);
  return { data, ...outer, border, scale };
}
