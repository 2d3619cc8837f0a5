// AssemblyScript with SIMD: what the encrypted match is compared with, by the same means.

/** out[j] = Σ_i probe[i] · row_j[i] in float32, for n rows of d numbers, d a multiple of 4; four rows at once. */
export function scan(rows: usize, n: i32, d: i32, probe: usize, out: usize): void {
  const rowBytes: usize = (<usize>d) << 2;
  const quarter = n >> 2;
  const gap = <usize>quarter * rowBytes;
  for (let j = 0; j < quarter; j++) {
    const row0 = rows + <usize>j * rowBytes;
    const row1 = row0 + gap;
    const row2 = row1 + gap;
    const row3 = row2 + gap;
    let sum0 = f32x4.splat(0);
    let sum1 = f32x4.splat(0);
    let sum2 = f32x4.splat(0);
    let sum3 = f32x4.splat(0);
    for (let i: usize = 0; i < rowBytes; i += 16) {
      const p = v128.load(probe + i);
      sum0 = f32x4.add(sum0, f32x4.mul(v128.load(row0 + i), p));
      sum1 = f32x4.add(sum1, f32x4.mul(v128.load(row1 + i), p));
      sum2 = f32x4.add(sum2, f32x4.mul(v128.load(row2 + i), p));
      sum3 = f32x4.add(sum3, f32x4.mul(v128.load(row3 + i), p));
    }
    const at = out + (<usize>j << 2);
    const outGap = <usize>quarter << 2;
    store<f32>(at, total(sum0));
    store<f32>(at + outGap, total(sum1));
    store<f32>(at + 2 * outGap, total(sum2));
    store<f32>(at + 3 * outGap, total(sum3));
  }
  for (let j = quarter << 2; j < n; j++) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < rowBytes; i += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(rows + <usize>j * rowBytes + i), v128.load(probe + i)));
    }
    store<f32>(out + (<usize>j << 2), total(sum));
  }
}

/** Reads `bytes` bytes, a multiple of 64, in four streams, and does nothing with them: the memory's limit. */
export function read(from: usize, bytes: usize): u32 {
  const quarter = bytes >> 2;
  let all = i32x4.splat(0);
  for (let i: usize = 0; i < quarter; i += 16) {
    const pair = v128.or(v128.load(from + i), v128.load(from + quarter + i));
    all = v128.or(all, v128.or(pair, v128.or(v128.load(from + 2 * quarter + i), v128.load(from + 3 * quarter + i))));
  }
  return <u32>i32x4.extract_lane(all, 0);
}

@inline
function total(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)
  );
}
