// AssemblyScript with SIMD, built by `npm run build:kernel`. The row format is that of libs/homomorphic/sealed-row.ts.

const Q: i64 = 0xfff00001;

/**
 * out[j] = Σ_i probe[i] · row_j[i] mod q, for n rows of d words, d a multiple of 16, at most 2,048; probe is d signed
 * 16-bit digits with |probe[i]| ≤ 127; out takes n residues of 32 bits. All addresses are multiples of 16.
 *
 * Each i32 lane adds d/16 products of pairs, and two accumulators are added at the end: at most
 * 2 · 128 · 2 · 2^15 · 127 = 2,130,706,432 < 2^31, so nothing overflows.
 */
export function matvec(rows: usize, n: i32, d: i32, probe: usize, out: usize): void {
  const stride: usize = (<usize>d) << 2;
  for (let j = 0; j < n; j++) {
    const row = rows + <usize>j * stride;
    let low0 = i32x4.splat(0);
    let high0 = i32x4.splat(0);
    let low1 = i32x4.splat(0);
    let high1 = i32x4.splat(0);
    let p: usize = probe;
    for (let i: usize = 0; i < stride; i += 64, p += 32) {
      const p0 = v128.load(p);
      const p1 = v128.load(p, 16);
      low0 = i32x4.add(low0, i32x4.dot_i16x8_s(v128.load(row + i), p0));
      high0 = i32x4.add(high0, i32x4.dot_i16x8_s(v128.load(row + i, 16), p0));
      low1 = i32x4.add(low1, i32x4.dot_i16x8_s(v128.load(row + i, 32), p1));
      high1 = i32x4.add(high1, i32x4.dot_i16x8_s(v128.load(row + i, 48), p1));
    }
    const sum = total(i32x4.add(low0, low1)) + (total(i32x4.add(high0, high1)) << 16);
    store<u32>(out + (<usize>j << 2), <u32>residue(sum));
  }
}

@inline
function total(v: v128): i64 {
  return (
    <i64>i32x4.extract_lane(v, 0) +
    <i64>i32x4.extract_lane(v, 1) +
    <i64>i32x4.extract_lane(v, 2) +
    <i64>i32x4.extract_lane(v, 3)
  );
}

/** x mod q for |x| < 2^50, by 2^32 ≡ 2^20 - 1 mod q: after two folds -2^27 < x < 2^32 + 2^27. */
@inline
function residue(x: i64): i64 {
  x = (x >> 32) * 0xfffff + (x & 0xffffffff);
  x = (x >> 32) * 0xfffff + (x & 0xffffffff);
  if (x < 0) x += Q;
  if (x >= Q) x -= Q;
  return x;
}
