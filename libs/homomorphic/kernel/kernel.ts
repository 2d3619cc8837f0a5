// AssemblyScript with SIMD, built by `npm run compile:kernel`. The row format is that of libs/homomorphic/sealed-row.ts.

const Q: i64 = 0xfff00001;

/**
 * out[j] = Σ_i probe[i] · row_j[i] mod q, for n rows of d words, d a multiple of 16, at most 2,048; probe is d signed
 * 16-bit digits with |probe[i]| ≤ 127; out takes n residues of 32 bits. All addresses are multiples of 16.
 *
 * Four rows, a quarter of the segment apart, are read at once: the processor's prefetchers stop at the end of a page,
 * and four streams wait for one another's pages no longer (bench:search measures it).
 *
 * Relaxed SIMD has dot products of 8-bit digits only, so it cannot help; the sum is bound by memory (bench:search).
 *
 * Each i32 lane adds d/8 products of pairs: at most 256 · 2 · 2^15 · 127 = 2,130,706,432 < 2^31.
 */
export function matvec(rows: usize, n: i32, d: i32, probe: usize, out: usize): void {
  const rowBytes: usize = (<usize>d) << 2;
  const quarter = n >> 2;
  for (let j = 0; j < quarter; j++) {
    fourRows(rows + <usize>j * rowBytes, <usize>quarter * rowBytes, rowBytes, probe, out + (<usize>j << 2), <usize>quarter << 2);
  }
  for (let j = quarter << 2; j < n; j++) {
    oneRow(rows + <usize>j * rowBytes, rowBytes, probe, out + (<usize>j << 2));
  }
}

@inline
function fourRows(row: usize, gap: usize, rowBytes: usize, probe: usize, out: usize, outGap: usize): void {
  let low0 = i32x4.splat(0);
  let high0 = i32x4.splat(0);
  let low1 = i32x4.splat(0);
  let high1 = i32x4.splat(0);
  let low2 = i32x4.splat(0);
  let high2 = i32x4.splat(0);
  let low3 = i32x4.splat(0);
  let high3 = i32x4.splat(0);
  const row1 = row + gap;
  const row2 = row1 + gap;
  const row3 = row2 + gap;
  let p: usize = probe;
  for (let i: usize = 0; i < rowBytes; i += 32, p += 16) {
    const v = v128.load(p);
    low0 = i32x4.add(low0, i32x4.dot_i16x8_s(v128.load(row + i), v));
    high0 = i32x4.add(high0, i32x4.dot_i16x8_s(v128.load(row + i, 16), v));
    low1 = i32x4.add(low1, i32x4.dot_i16x8_s(v128.load(row1 + i), v));
    high1 = i32x4.add(high1, i32x4.dot_i16x8_s(v128.load(row1 + i, 16), v));
    low2 = i32x4.add(low2, i32x4.dot_i16x8_s(v128.load(row2 + i), v));
    high2 = i32x4.add(high2, i32x4.dot_i16x8_s(v128.load(row2 + i, 16), v));
    low3 = i32x4.add(low3, i32x4.dot_i16x8_s(v128.load(row3 + i), v));
    high3 = i32x4.add(high3, i32x4.dot_i16x8_s(v128.load(row3 + i, 16), v));
  }
  store<u32>(out, word(low0, high0));
  store<u32>(out + outGap, word(low1, high1));
  store<u32>(out + 2 * outGap, word(low2, high2));
  store<u32>(out + 3 * outGap, word(low3, high3));
}

@inline
function oneRow(row: usize, rowBytes: usize, probe: usize, out: usize): void {
  let low = i32x4.splat(0);
  let high = i32x4.splat(0);
  let p: usize = probe;
  for (let i: usize = 0; i < rowBytes; i += 32, p += 16) {
    const v = v128.load(p);
    low = i32x4.add(low, i32x4.dot_i16x8_s(v128.load(row + i), v));
    high = i32x4.add(high, i32x4.dot_i16x8_s(v128.load(row + i, 16), v));
  }
  store<u32>(out, word(low, high));
}

/**
 * The same for `count` probes at once, a multiple of 4: every row is read from memory once. Probe k lies k·d digits
 * after `probes`, its results `stride` bytes after those of probe k - 1.
 */
export function matmul(rows: usize, n: i32, d: i32, probes: usize, count: i32, out: usize, stride: usize): void {
  const rowBytes: usize = (<usize>d) << 2;
  const probeBytes: usize = (<usize>d) << 1;
  for (let j = 0; j < n; j++) {
    const row = rows + <usize>j * rowBytes;
    for (let k = 0; k < count; k += 4) {
      const first = probes + <usize>k * probeBytes;
      fourProbes(row, rowBytes, first, probeBytes, out + <usize>k * stride + (<usize>j << 2), stride);
    }
  }
}

@inline
function fourProbes(row: usize, rowBytes: usize, probes: usize, probeBytes: usize, out: usize, stride: usize): void {
  let low0 = i32x4.splat(0);
  let high0 = i32x4.splat(0);
  let low1 = i32x4.splat(0);
  let high1 = i32x4.splat(0);
  let low2 = i32x4.splat(0);
  let high2 = i32x4.splat(0);
  let low3 = i32x4.splat(0);
  let high3 = i32x4.splat(0);
  let p0 = probes;
  let p1 = probes + probeBytes;
  let p2 = p1 + probeBytes;
  let p3 = p2 + probeBytes;
  for (let i: usize = 0; i < rowBytes; i += 32) {
    const low = v128.load(row + i);
    const high = v128.load(row + i, 16);
    const v0 = v128.load(p0);
    low0 = i32x4.add(low0, i32x4.dot_i16x8_s(low, v0));
    high0 = i32x4.add(high0, i32x4.dot_i16x8_s(high, v0));
    const v1 = v128.load(p1);
    low1 = i32x4.add(low1, i32x4.dot_i16x8_s(low, v1));
    high1 = i32x4.add(high1, i32x4.dot_i16x8_s(high, v1));
    const v2 = v128.load(p2);
    low2 = i32x4.add(low2, i32x4.dot_i16x8_s(low, v2));
    high2 = i32x4.add(high2, i32x4.dot_i16x8_s(high, v2));
    const v3 = v128.load(p3);
    low3 = i32x4.add(low3, i32x4.dot_i16x8_s(low, v3));
    high3 = i32x4.add(high3, i32x4.dot_i16x8_s(high, v3));
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
  }
  store<u32>(out, word(low0, high0));
  store<u32>(out + stride, word(low1, high1));
  store<u32>(out + 2 * stride, word(low2, high2));
  store<u32>(out + 3 * stride, word(low3, high3));
}

/** The sums of low and high digits, put together and reduced. */
@inline
function word(low: v128, high: v128): u32 {
  return <u32>residue(total(low) + (total(high) << 16));
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
