import { existsSync, globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyConsistency, verifyInclusion } from './verifier/verify-audit.mjs';

const VECTORS = resolve('../shared/vectors/rfc6962');
const missing = !existsSync(VECTORS);

interface Vector {
  readonly leafIdx?: number;
  readonly treeSize?: number;
  readonly root?: string;
  readonly leafHash?: string;
  readonly size1?: number;
  readonly size2?: number;
  readonly root1?: string;
  readonly root2?: string;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
}

function vectorsOf(folder: string): Vector[] {
  return missing
    ? []
    : globSync(`${VECTORS}/${folder}/**/*.json`)
        .toSorted()
        .map((path) => JSON.parse(readFileSync(path, 'utf8')));
}

const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');

describe.skipIf(missing)(`transparency-dev's Merkle vectors (skipped where ${VECTORS} is missing)`, () => {
  test('inclusion proofs are accepted and refused as they say', () => {
    const vectors = vectorsOf('inclusion');
    expect(vectors.length).toBeGreaterThan(80);
    const wrong = vectors.filter(
      ({ leafIdx = 0, treeSize = 0, leafHash, root, proof, wantErr }) =>
        verifyInclusion(leafIdx, treeSize, bytes(leafHash), (proof ?? []).map(bytes), bytes(root)) ===
        wantErr,
    );
    expect(wrong.map(({ desc }) => desc)).toEqual([]);
  });

  test('consistency proofs are accepted and refused as they say', () => {
    const vectors = vectorsOf('consistency');
    expect(vectors.length).toBeGreaterThan(80);
    const wrong = vectors.filter(
      ({ size1 = 0, size2 = 0, root1, root2, proof, wantErr }) =>
        verifyConsistency(size1, size2, bytes(root1), bytes(root2), (proof ?? []).map(bytes)) === wantErr,
    );
    expect(wrong.map(({ desc, size1, size2 }) => `${desc} ${size1} ${size2}`)).toEqual([]);
  });
});
