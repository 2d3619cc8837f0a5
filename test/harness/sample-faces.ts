import type { FacePool } from '#faces/face-pool';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import sharp from 'sharp';

const SAMPLES = join(
  dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')),
  'demo',
);

/** Real photographs of people, kept outside the repository: tests that need them are skipped where it is missing. */
export const TESTDATA = resolve('../shared/testdata');

/** Photographs of several people that @vladmandic/face-api ships. */
export function groupPhotographs(): Buffer[] {
  return readdirSync(SAMPLES)
    .filter((name) => /^sample\d+\.jpg$/.test(name))
    .map((name) => readFileSync(join(SAMPLES, name)));
}

/** The faces on them that pass the quality gates, cut out; each is another person. */
export async function sampleFaces(pool: FacePool, most: number): Promise<Buffer[]> {
  const faces: Buffer[] = [];
  for (const group of groupPhotographs()) {
    for (const box of await pool.findFaces(new Uint8Array(group))) {
      const face = await sharp(group).extract(box).jpeg({ quality: 95 }).toBuffer();
      if ((await pool.analyse(new Uint8Array(face), false)).ok) faces.push(face);
      if (faces.length === most) return faces;
    }
  }
  return faces;
}

/** As if taken again: tilted, brighter, smaller, compressed harder. */
export async function retaken(face: Buffer): Promise<Buffer> {
  const tilted = await sharp(face)
    .rotate(4, { background: '#777' })
    .modulate({ brightness: 1.12 })
    .toBuffer();
  return sharp(tilted).resize({ width: 420 }).jpeg({ quality: 70 }).toBuffer();
}
