import { FacePool } from '#faces/face-pool';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Labelled embeddings of unit length. */
export interface FaceSet {
  readonly name: string;
  readonly embeddings: readonly Float32Array[];
  /** `people[i]` is whose embedding i is, counted from 0. */
  readonly people: readonly number[];
  readonly source: string;
  /** LFW's View 2, where the set has it: two embeddings and whether they are of one person. */
  readonly pairs?: readonly (readonly [number, number, number])[];
}

const EMBEDDINGS = 'dlib128.f32.bin';
const LABELS = 'dlib128.labels.json';
const DIMENSION = 128;

/** Embeddings, or photographs in one folder a person, which go through the whole pipeline. */
export async function readFaceSet(folder: string): Promise<FaceSet> {
  return existsSync(join(folder, EMBEDDINGS)) ? embeddingsOf(folder) : await photographsOf(folder);
}

function embeddingsOf(folder: string): FaceSet {
  const vectors = new Float32Array(new Uint8Array(readFileSync(join(folder, EMBEDDINGS))).buffer);
  const labels: {
    person?: number[];
    rows?: { person: string }[];
    pairs?: (readonly [number, number, number])[];
  } = JSON.parse(readFileSync(join(folder, LABELS), 'utf8'));
  const people = numbered(labels.person?.map(String) ?? labels.rows?.map(({ person }) => person) ?? []);
  if (people.length * DIMENSION !== vectors.length)
    throw new Error(`${folder} holds other embeddings than it labels`);
  const embeddings = people.map((_, i) => vectors.subarray(i * DIMENSION, (i + 1) * DIMENSION));
  const source = `${people.length} embeddings of ${new Set(people).size} people`;
  return {
    name: basename(folder),
    embeddings,
    people,
    source,
    ...(labels.pairs === undefined ? {} : { pairs: labels.pairs }),
  };
}

async function photographsOf(folder: string): Promise<FaceSet> {
  const photographs = readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).isDirectory())
    .flatMap((person) =>
      readdirSync(join(folder, person))
        .filter((file) => /\.(jpe?g|png|webp)$/i.test(file))
        .map((file) => ({ person, path: join(folder, person, file) })),
    );
  const pool = new FacePool({ workers: 2, mostWaiting: photographs.length });
  try {
    const analysed = await Promise.all(
      photographs.map(async ({ person, path }) => ({
        person,
        analysis: await pool.analyse(new Uint8Array(readFileSync(path)), false),
      })),
    );
    const usable = analysed.flatMap(({ person, analysis }) =>
      analysis.ok ? [{ person, embedding: analysis.embedding }] : [],
    );
    const people = numbered(usable.map(({ person }) => person));
    const refused = photographs.length - usable.length;
    return {
      name: basename(folder),
      embeddings: usable.map(({ embedding }) => embedding),
      people,
      source: `${usable.length} photographs of ${new Set(people).size} people (${refused} refused by the quality gates)`,
    };
  } finally {
    await pool.close();
  }
}

function numbered(names: readonly string[]): number[] {
  const known = [...new Set(names)];
  const numbers = new Map(known.map((name, i) => [name, i]));
  return names.map((name) => numbers.get(name) ?? 0);
}
