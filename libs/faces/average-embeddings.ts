/**
 * The unit vector in the middle of several of one dimension; each counts the same, whatever its length. Without calls that
 * spread or map an array: their copies cannot be zeroed.
 */
export function averageEmbeddings(embeddings: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const dimension = embeddings[0]?.length ?? 0;
  const sum = new Float64Array(dimension);
  for (const embedding of embeddings) {
    const length = lengthOf(embedding);
    for (let i = 0; i < dimension; i++) sum[i] = (sum[i] ?? 0) + (embedding[i] ?? 0) / length;
  }
  const length = lengthOf(sum);
  const average = new Float32Array(dimension);
  for (let i = 0; i < dimension; i++) average[i] = (sum[i] ?? 0) / length;
  sum.fill(0);
  return average;
}

function lengthOf(vector: Float32Array | Float64Array): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}
