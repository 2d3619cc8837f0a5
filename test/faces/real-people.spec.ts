import { FacePool } from '#faces/face-pool';
import { DLIB_RESNET, thresholdFor } from '#faces/model-card';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TESTDATA } from '../harness/sample-faces.js';

const missing = !existsSync(TESTDATA);

interface Known {
  readonly file: string;
  readonly person: string;
  readonly embedding: Float32Array;
}

describe.skipIf(missing)(`163 photographs of 31 people (skipped where ${TESTDATA} is missing)`, () => {
  let pool: FacePool;
  let known: Known[];
  const ours: Float32Array[] = [];

  beforeAll(async () => {
    pool = new FacePool({ workers: 2, mostWaiting: 200 });
    known = references();
    const analyses = await Promise.all(
      known.map(({ file }) => pool.analyse(new Uint8Array(readFileSync(join(TESTDATA, file))), false)),
    );
    analyses.forEach((analysis, i) => {
      if (analysis.ok) ours[i] = analysis.embedding;
    });
  }, 240_000);

  afterAll(() => pool.close());

  test('nearly all pass the quality gates', () => {
    expect(Object.keys(ours).length).toBeGreaterThan(150);
  });

  test('each embedding is the one that the prototype measured', () => {
    ours.forEach((embedding, i) => {
      const reference = known[i];
      const same = reference !== undefined && cosine(embedding, reference.embedding) > 0.999;
      expect([reference?.file, same]).toEqual([reference?.file, true]);
    });
  });

  test("the same person is accepted and another refused at about the card's rates", () => {
    const threshold = thresholdFor(DLIB_RESNET, 1e-3) ?? 1;
    const counts = { genuine: 0, accepted: 0, impostor: 0, falseMatches: 0 };
    ours.forEach((a, i) => {
      ours.forEach((b, j) => {
        if (j <= i) return;
        const match = cosine(a, b) >= threshold;
        if (known[i]?.person === known[j]?.person) {
          counts.genuine++;
          if (match) counts.accepted++;
        } else {
          counts.impostor++;
          if (match) counts.falseMatches++;
        }
      });
    });
    expect(counts.accepted / counts.genuine).toBeGreaterThan(0.8);
    // Ten times the rate of the card: 31 people are too few to measure one in a thousand.
    expect(counts.falseMatches / counts.impostor).toBeLessThan(0.01);
  });

  test.each([
    ['no-face-1.jpg', ['no_face']],
    ['no-face-2.jpg', ['no_face']],
    ['dogs.jpg', ['no_face']],
    ['several-faces-2.jpg', ['several_faces']],
    ['several-faces-8.jpg', ['several_faces']],
  ])('%s is refused', async (file, reasons) => {
    const analysis = await pool.analyse(new Uint8Array(readFileSync(join(TESTDATA, 'special', file))), false);
    expect(analysis.ok ? ['accepted'] : [analysis.reason]).toEqual(reasons);
  });
});

function references(): Known[] {
  const folder = join(TESTDATA, 'embeddings');
  const vectors = new Float32Array(new Uint8Array(readFileSync(join(folder, 'dlib128.f32.bin'))).buffer);
  const { rows }: { rows: { file: string; person: string }[] } = JSON.parse(
    readFileSync(join(folder, 'dlib128.labels.json'), 'utf8'),
  );
  return rows.map(({ file, person }, i) => ({
    file,
    person,
    embedding: vectors.subarray(i * 128, (i + 1) * 128),
  }));
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
