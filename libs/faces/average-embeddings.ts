/** The unit vector in the middle of several of one dimension; each counts the same, whatever its length. */
export function averageEmbeddings(embeddings: readonly Float32Array[]): Float32Array {
  const sum = new Float64Array(embeddings[0]?.length ?? 0);
  for (const embedding of embeddings) {
    const length = Math.hypot(...embedding);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (embedding[i] ?? 0) / length;
  }
  const length = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => value / length);
}
