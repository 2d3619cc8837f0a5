import { decodeImage } from '#faces/decode-image';
import { FacePool } from '#faces/face-pool';
import sharp from 'sharp';
import { sampleFaces } from '../harness/sample-faces.js';
import type { Needles } from './needles.js';
import { addFaces } from './vectors.js';

/** Long enough not to be found by chance, where neighbouring pixels are alike. */
const RUN = 64;
/** Of a JPEG, tables that many have alike. */
const HEADER = 1_024;

export interface Photograph {
  readonly jpeg: Buffer;
  readonly embedding: readonly number[];
}

/** Photographs of faces that pass the gates, each with bytes, pixels and an embedding of its own. */
export async function photographs(most: number): Promise<Photograph[]> {
  const pool = new FacePool({ workers: 1 });
  const faces = await sampleFaces(pool, 4);
  const made: Photograph[] = [];
  for (let i = 0; made.length < most && i < 4 * most; i++) {
    const face = sharp(faces[i % faces.length]).resize({ width: 360 + 8 * i });
    const jpeg = await face
      .modulate({ brightness: 1 + i / 100 })
      .jpeg({ quality: 88 })
      .toBuffer();
    const analysis = await pool.analyse(new Uint8Array(jpeg), false);
    if (analysis.ok) made.push({ jpeg, embedding: [...analysis.embedding] });
  }
  await pool.close();
  return made;
}

/** What a photograph can look like in memory: as sent, as base64, decoded, and what is made of it. */
export async function addPhotographs(needles: Needles, shown: readonly Photograph[]): Promise<void> {
  addFaces(
    needles,
    shown.map(({ embedding }) => embedding),
    () => 'embedding',
  );
  for (const [owner, { jpeg }] of shown.entries()) {
    needles.add('JPEG', owner, jpeg.subarray(HEADER), RUN);
    const text = Buffer.from(jpeg.toString('base64'));
    needles.add('base64', owner, text.subarray(2 * HEADER), RUN);
    const { data, width, height } = await decodeImage(jpeg);
    for (let y = Math.floor(height * 0.4); y < height * 0.6; y++) {
      const row = data.subarray(
        (y * width + Math.floor(width * 0.4)) * 3,
        (y * width + Math.floor(width * 0.6)) * 3,
      );
      needles.add('pixels', owner, Buffer.from(row), RUN);
      needles.add('pixels', owner, Buffer.from(Float32Array.from(row).buffer), RUN);
    }
  }
}
