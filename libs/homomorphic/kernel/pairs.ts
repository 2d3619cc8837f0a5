// AssemblyScript with SIMD, built by `npm run compile:kernel`: every template of one segment with every one of another.

/** What is kept in the first-level cache of the templates on the right. */
const BLOCK_BYTES: i32 = 16_384;

const Q: i64 = 0xfff00001;
const DELTA: i64 = 16_380;

/**
 * What was added to the pads when `count` rows of d words were sealed (sealed-row.ts), as d signed 16-bit digits each.
 * `pads`: d residues for each row, in the same order. Answers how many rows are no template under their pad: a digit is
 * lifted to a multiple of ⌊q/t⌋, between two of which lie 16,379 other residues, and the squares of a template's digits add
 * up to `mostSquares` at the most. No branch depends on the values.
 */
export function unseal(rows: usize, pads: usize, count: i32, d: i32, mostSquares: f64, out: usize): i32 {
  let wrong = 0;
  for (let n = 0; n < count; n++) {
    let squares: f64 = 0;
    let apart: i64 = 0;
    for (let i = 0; i < d; i += 8, rows += 32) {
      for (let k: usize = 0; k < 8; k++, pads += 4, out += 2) {
        const word = <i64>load<i16>(rows + 2 * k) + (<i64>load<i16>(rows + 2 * k, 16) << 16);
        const m = centred(word - <i64>load<u32>(pads));
        // Exact where m is a multiple of DELTA, which is what is asked.
        const digit = nearest<f64>(<f64>m * (1 / <f64>DELTA));
        apart |= m - <i64>digit * DELTA;
        squares += digit * digit;
        store<i16>(out, <i16>(<i32>digit));
      }
    }
    wrong += <i32>(apart != 0) | <i32>(squares > mostSquares);
  }
  return wrong;
}

/** x mod q in (-q/2, q/2), for -2^31 - q < x < q - 2^31: the difference of a word of a row and a residue. */
@inline
function centred(x: i64): i64 {
  x += select<i64>(Q, 0, x < -(Q >> 1));
  return x + select<i64>(Q, 0, x < -(Q >> 1));
}

/**
 * Finds the pairs whose inner product is at least `threshold`, among `leftCount` and `rightCount` templates of d signed
 * 16-bit digits, d a multiple of 8; with `within` both are the same templates and a pair counts once. Templates whose
 * label (32 bits each) is the same are of one subject and are no pair. Behind the templates there MUST be room up to a
 * multiple of 4 (left) and 2 (right). Writes three words a pair to `out`: place left, place right, inner product.
 * Answers how many it found, and stops after `capacity`: then it answers capacity + 1. `sums`: room for 8 words.
 *
 * A template is at most 462.7 long (quantised-vector.ts), so that no sum exceeds 214,100.
 *
 * Four templates by two at once: eight sums stay in registers, and each digit that is loaded is used several times.
 */
export function alike(
  left: usize,
  leftLabels: usize,
  leftCount: i32,
  right: usize,
  rightLabels: usize,
  rightCount: i32,
  within: bool,
  d: i32,
  threshold: i32,
  sums: usize,
  out: usize,
  capacity: i32,
): i32 {
  const bytes = <usize>d << 1;
  const block = max<i32>(2, (BLOCK_BYTES / <i32>bytes) & ~1);
  const least = i32x4.splat(threshold);
  let found = 0;
  for (let from = 0; from < rightCount; from += block) {
    const to = min<i32>(from + block, rightCount);
    for (let i = 0; i < leftCount; i += 4) {
      for (let j = within ? max<i32>(from, i) : from; j < to; j += 2) {
        fourByTwo(left + <usize>i * bytes, right + <usize>j * bytes, bytes, sums);
        const reached = v128.or(i32x4.ge_s(v128.load(sums), least), i32x4.ge_s(v128.load(sums, 16), least));
        if (!v128.any_true(reached)) continue;
        for (let k = 0; k < 8; k++) {
          const a = i + (k & 3);
          const b = j + (k >> 2);
          const score = load<i32>(sums + (<usize>k << 2));
          if (score < threshold || a >= leftCount || b >= rightCount || (within && a >= b)) continue;
          if (load<u32>(leftLabels + (<usize>a << 2)) == load<u32>(rightLabels + (<usize>b << 2))) continue;
          if (found == capacity) return capacity + 1;
          const at = out + <usize>found * 12;
          store<i32>(at, a);
          store<i32>(at, b, 4);
          store<i32>(at, score, 8);
          found++;
        }
      }
    }
  }
  return found;
}

/** The inner products of four templates with one, then with the next, stored one after the other. */
@inline
function fourByTwo(left: usize, right: usize, bytes: usize, sums: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  const left1 = left + bytes;
  const left2 = left1 + bytes;
  const left3 = left2 + bytes;
  const right1 = right + bytes;
  for (let i: usize = 0; i < bytes; i += 16) {
    const u = v128.load(right + i);
    const v = v128.load(right1 + i);
    const w0 = v128.load(left + i);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, u));
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, v));
    const w1 = v128.load(left1 + i);
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, u));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, v));
    const w2 = v128.load(left2 + i);
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(w2, u));
    b2 = i32x4.add(b2, i32x4.dot_i16x8_s(w2, v));
    const w3 = v128.load(left3 + i);
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(w3, u));
    b3 = i32x4.add(b3, i32x4.dot_i16x8_s(w3, v));
  }
  v128.store(sums, totals(a0, a1, a2, a3));
  v128.store(sums, totals(b0, b1, b2, b3), 16);
}

/** The sum of the four lanes of each, in one vector. */
@inline
function totals(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}
