/** Random directions, and others near them: gaussian numbers from a seed, so that every run has the same ones. */
export function randomFace(seed: number, dimension: number): number[] {
  const uniform = mulberry32(seed);
  return Array.from({ length: dimension }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  });
}

/** Another photograph of the same face, as it were: cosine about 0.98. */
export function nearFace(face: readonly number[], seed: number): number[] {
  const noise = randomFace(seed, face.length);
  return face.map((value, i) => value + 0.2 * (noise[i] ?? 0));
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
