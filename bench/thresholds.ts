import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Prints the cosine at which each false match rate is met, over every pair of different persons in a folder with
 * dlib128.f32.bin (row-major float32, unit length) and dlib128.labels.json (`person` by row).
 */
const DIMENSION = 128;
const RATES = [1e-1, 1e-2, 1e-3, 1e-4];
const BINS = 2_000_000;

const folder = process.argv[2] ?? '../shared/testdata/lfw-embeddings';
if (!existsSync(folder)) {
  console.error(`No embeddings at ${folder}: name a folder.`);
  process.exit(1);
}
const bytes = readFileSync(join(folder, 'dlib128.f32.bin'));
const vectors = new Float32Array(new Uint8Array(bytes).buffer);
const labels: unknown = JSON.parse(readFileSync(join(folder, 'dlib128.labels.json'), 'utf8'));
const people = peopleOf(labels);

const histogram = new Uint32Array(BINS + 1);
let pairs = 0;
for (let i = 0; i < people.length; i++) {
  for (let j = i + 1; j < people.length; j++) {
    if (people[i] === people[j]) continue;
    let cosine = 0;
    for (let k = 0; k < DIMENSION; k++) {
      cosine += (vectors[i * DIMENSION + k] ?? 0) * (vectors[j * DIMENSION + k] ?? 0);
    }
    const bin = Math.max(0, Math.min(BINS, Math.round(((cosine + 1) / 2) * BINS)));
    histogram[bin] = (histogram[bin] ?? 0) + 1;
    pairs++;
  }
}
console.log(`${people.length} embeddings, ${pairs} pairs of different persons`);
for (const rate of RATES) {
  let above = 0;
  let bin = BINS;
  for (; bin >= 0 && above + (histogram[bin] ?? 0) <= rate * pairs; bin--) above += histogram[bin] ?? 0;
  console.log(`false match rate ${rate}: cosine ${(((bin + 1) / BINS) * 2 - 1).toFixed(4)}`);
}

function peopleOf(value: unknown): readonly unknown[] {
  if (typeof value === 'object' && value !== null) {
    if ('person' in value && Array.isArray(value.person)) return value.person;
    if ('rows' in value && Array.isArray(value.rows)) {
      return value.rows.map((row: unknown) =>
        typeof row === 'object' && row !== null && 'person' in row ? row.person : undefined,
      );
    }
  }
  throw new Error('dlib128.labels.json has neither person nor rows');
}
