import { FacePool } from '#faces/face-pool';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

export interface DemoPerson {
  readonly name: string;
  /** Photographs to enrol, and another to compare. */
  readonly enrol: readonly Buffer[];
  readonly probe: Buffer;
}

export interface DemoPhotos {
  readonly people: readonly DemoPerson[];
  readonly source: string;
}

const MOST_PEOPLE = 12;
const ENROLLED_PHOTOS = 3;

/** One folder a person; whoever has two photographs or more that pass the quality gates. */
export async function photosFromFolder(folder: string): Promise<DemoPhotos> {
  const faces = new FacePool({ workers: 2 });
  const people: DemoPerson[] = [];
  let refused = 0;
  try {
    for (const name of readdirSync(folder).filter((each) => statSync(join(folder, each)).isDirectory())) {
      if (people.length === MOST_PEOPLE) break;
      const photos: Buffer[] = [];
      for (const file of readdirSync(join(folder, name)).sort()) {
        if (!/\.(jpe?g|png|webp)$/i.test(file) || photos.length > ENROLLED_PHOTOS) continue;
        const photo = readFileSync(join(folder, name, file));
        if ((await faces.analyse(new Uint8Array(photo), false)).ok) photos.push(photo);
        else refused++;
      }
      const probe = photos.pop();
      if (probe !== undefined && photos.length > 0) people.push({ name, enrol: photos, probe });
    }
  } finally {
    await faces.close();
  }
  if (people.length < 2) {
    throw new Error(
      `${folder} needs two folders (one a person) with two photographs each that show one face clearly.`,
    );
  }
  const left = refused === 0 ? '' : `; ${refused} photographs left out by the quality gates`;
  return { people, source: `${people.length} people from ${folder}, one folder a person${left}` };
}

/**
 * The faces on the group photographs that @vladmandic/face-api ships. Nobody is on them twice, so the photograph to
 * compare is made from the same picture: another crop, tilt, light and compression.
 */
export async function photosFromSamples(): Promise<DemoPhotos> {
  const samples = join(
    dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')),
    'demo',
  );
  const faces = new FacePool({ workers: 2 });
  const people: DemoPerson[] = [];
  try {
    for (const file of readdirSync(samples).filter((name) => /^sample\d+\.jpg$/.test(name))) {
      const group = readFileSync(join(samples, file));
      for (const box of await faces.findFaces(new Uint8Array(group))) {
        const cut = await sharp(group).extract(box).jpeg({ quality: 92 }).toBuffer();
        const probe = await retaken(cut);
        const usable = await Promise.all(
          [cut, probe].map((image) => faces.analyse(new Uint8Array(image), false)),
        );
        const name = `${file.replace('.jpg', '')}-face-${people.length + 1}`;
        if (usable.every(({ ok }) => ok)) people.push({ name, enrol: [cut], probe });
      }
    }
  } finally {
    await faces.close();
  }
  const source =
    'faces cut from the group photographs of @vladmandic/face-api; nobody is on two of them, so "the same person again" is the same picture cropped, tilted, brightened and compressed anew (use --photos DIR for real second photographs)';
  return { people: people.slice(0, MOST_PEOPLE), source: `${people.length} ${source}` };
}

async function retaken(face: Buffer): Promise<Buffer> {
  const tilted = await sharp(face)
    .rotate(4, { background: '#777' })
    .modulate({ brightness: 1.12 })
    .toBuffer();
  return sharp(tilted).resize({ width: 420 }).jpeg({ quality: 70 }).toBuffer();
}
