// AssemblyScript, built by `npm run compile:kernel`: arithmetic in Z_q[x]/(x^N + 1), for sealing and for opening.

const Q: u64 = 0xfff00001;
const N: i32 = 2048;
const T: i32 = 1 << 18;

/**
 * x·w mod q for x, w < q, with w' = ⌊w·2^32 / q⌋ (Shoup): x·w - ⌊x·w' / 2^32⌋·q lies in [0, 2q). No branch depends on
 * the values.
 */
@inline
function times(x: u64, w: u64, wCompanion: u64): u64 {
  const r = x * w - ((x * wCompanion) >> 32) * Q;
  return select<u64>(r - Q, r, r >= Q);
}

@inline
function plus(x: u64, y: u64): u64 {
  const sum = x + y;
  return select<u64>(sum - Q, sum, sum >= Q);
}

@inline
function minus(x: u64, y: u64): u64 {
  return select<u64>(x - y + Q, x - y, x < y);
}

/** The same for four words at once. */
@inline
function times4(x: v128, w: v128, companion: v128): v128 {
  const q = i64x2.splat(Q);
  const q32 = i32x4.splat(<i32>Q);
  const high0 = i64x2.shr_u(i64x2.extmul_low_i32x4_u(x, companion), 32);
  const high1 = i64x2.shr_u(i64x2.extmul_high_i32x4_u(x, companion), 32);
  const quotient = low32(high0, high1);
  const r0 = i64x2.sub(i64x2.extmul_low_i32x4_u(x, w), i64x2.extmul_low_i32x4_u(quotient, q32));
  const r1 = i64x2.sub(i64x2.extmul_high_i32x4_u(x, w), i64x2.extmul_high_i32x4_u(quotient, q32));
  return low32(
    i64x2.sub(r0, v128.and(q, i64x2.ge_s(r0, q))),
    i64x2.sub(r1, v128.and(q, i64x2.ge_s(r1, q))),
  );
}

/** The low halves of four 64-bit lanes. */
@inline
function low32(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/** x + y mod q: over 2^32, or not below q, q is subtracted. */
@inline
function plus4(x: v128, y: v128): v128 {
  const q = i32x4.splat(<i32>Q);
  const sum = i32x4.add(x, y);
  const over = v128.or(i32x4.lt_u(sum, x), i32x4.ge_u(sum, q));
  return i32x4.sub(sum, v128.and(q, over));
}

@inline
function minus4(x: v128, y: v128): v128 {
  return i32x4.add(i32x4.sub(x, y), v128.and(i32x4.splat(<i32>Q), i32x4.lt_u(x, y)));
}

/**
 * Negacyclic number-theoretic transform in place, result in bit-reversed order (Longa and Naehrig 2016, algorithm 1).
 * `roots`: N powers of a 2N-th root of unity in bit-reversed order, then their N companions.
 */
export function transform(a: usize, roots: usize): void {
  const companions = roots + (<usize>N << 2);
  let half: usize = <usize>N << 2;
  for (let m: usize = 1; m < <usize>N; m <<= 1) {
    half >>= 1;
    let at = a;
    for (let i: usize = 0; i < m; i++) {
      const w = <u64>load<u32>(roots + ((m + i) << 2));
      const c = <u64>load<u32>(companions + ((m + i) << 2));
      const end = at + half;
      const w4 = i32x4.splat(<i32>w);
      const c4 = i32x4.splat(<i32>c);
      for (; at + 16 <= end; at += 16) {
        const u = v128.load(at);
        const v = times4(v128.load(at + half), w4, c4);
        v128.store(at, plus4(u, v));
        v128.store(at + half, minus4(u, v));
      }
      for (; at < end; at += 4) {
        const u = <u64>load<u32>(at);
        const v = times(<u64>load<u32>(at + half), w, c);
        store<u32>(at, <u32>plus(u, v));
        store<u32>(at + half, <u32>minus(u, v));
      }
      at += half;
    }
  }
}

/** The inverse, without the division by N (algorithm 2); `roots`: those of the inverse root. */
export function transformBack(a: usize, roots: usize): void {
  const companions = roots + (<usize>N << 2);
  let half: usize = 4;
  for (let m: usize = <usize>N >> 1; m >= 1; m >>= 1) {
    let at = a;
    for (let i: usize = 0; i < m; i++) {
      const w = <u64>load<u32>(roots + ((m + i) << 2));
      const c = <u64>load<u32>(companions + ((m + i) << 2));
      const end = at + half;
      const w4 = i32x4.splat(<i32>w);
      const c4 = i32x4.splat(<i32>c);
      for (; at + 16 <= end; at += 16) {
        const u = v128.load(at);
        const v = v128.load(at + half);
        v128.store(at, plus4(u, v));
        v128.store(at + half, times4(minus4(u, v), w4, c4));
      }
      for (; at < end; at += 4) {
        const u = <u64>load<u32>(at);
        const v = <u64>load<u32>(at + half);
        store<u32>(at, <u32>plus(u, v));
        store<u32>(at + half, <u32>times(minus(u, v), w, c));
      }
      at += half;
    }
    half <<= 1;
  }
}

/** a[i] = a[i] · b[i] mod q; `b`: N factors, then their N companions. */
export function multiply(a: usize, b: usize): void {
  const companions = b + (<usize>N << 2);
  for (let i: usize = 0; i < <usize>N << 2; i += 16) {
    v128.store(a + i, times4(v128.load(a + i), v128.load(b + i), v128.load(companions + i)));
  }
}

/** out[i] = ⌊w[i]·2^32 / q⌋ for N words: what times() needs of a factor. */
export function companions(w: usize, out: usize): void {
  for (let i: usize = 0; i < <usize>N << 2; i += 4) {
    store<u32>(out + i, <u32>((<u64>load<u32>(w + i) << 32) / Q));
  }
}

/** a[i] = a[i] · w mod q for N words. */
export function scale(a: usize, w: u32): void {
  const w4 = i32x4.splat(w);
  const c4 = i32x4.splat(<u32>((<u64>w << 32) / Q));
  for (let i: usize = 0; i < <usize>N << 2; i += 16) v128.store(a + i, times4(v128.load(a + i), w4, c4));
}

/** The first N of `count` random words that are residues, which makes them uniform; answers how many there were. */
export function uniform(random: usize, count: i32, out: usize): i32 {
  let found = 0;
  for (let i = 0; i < count && found < N; i++) {
    const word = load<u32>(random + (<usize>i << 2));
    store<u32>(out + (<usize>found << 2), word);
    found += <i32>(<u64>word < Q);
  }
  return found;
}

/**
 * The number of ones in 21 random bits less that in 21 others: SEAL's centred binomial noise of deviation 3.24
 * (native/src/seal/util/rlwe.cpp, sample_poly_cbd).
 */
@inline
function noiseOf(bits: u64): i64 {
  return <i64>popcnt<u64>(bits & 0x1fffff) - <i64>popcnt<u64>((bits >> 21) & 0x1fffff);
}

/** out[j] = e_j - a[j] mod q for N words, with noise e_j of six random bytes each. */
export function hide(a: usize, random: usize, out: usize): void {
  for (let j: usize = 0; j < <usize>N; j++) {
    const e = noiseOf(load<u64>(random + 6 * j));
    const lifted = select<u64>(<u64>(e + <i64>Q), <u64>e, e < 0);
    store<u32>(out + (j << 2), <u32>minus(lifted, <u64>load<u32>(a + (j << 2))));
  }
}

/** Σ probe[i]·e_i for `count` signed bytes, e_i of the six random bytes at i·stride. */
export function noise(random: usize, stride: usize, probe: usize, count: i32): i32 {
  let sum: i32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    sum += <i32>load<i8>(probe + i) * <i32>noiseOf(load<u64>(random + i * stride));
  }
  return sum;
}

/** out[j] = c0[j] + c1s[j] mod q for N words; false if one of c0 is no residue. */
export function sum(c0: usize, c1s: usize, out: usize): bool {
  const q = i32x4.splat(<i32>Q);
  let wrong = i32x4.splat(0);
  for (let i: usize = 0; i < <usize>N << 2; i += 16) {
    const c = v128.load(c0 + i);
    wrong = v128.or(wrong, i32x4.ge_u(c, q));
    v128.store(out + i, plus4(c, v128.load(c1s + i)));
  }
  return !v128.any_true(wrong);
}

/**
 * out[j] = t/q · (c0[j] + c1s[j] mod q), rounded, in [-t/2, t/2). The quotient is at least 1/2q from a whole number and a
 * double's error below t·2^-52, so that the rounding is exact.
 */
export function round(c0: usize, c1s: usize, out: usize): void {
  for (let i: usize = 0; i < <usize>N << 2; i += 4) {
    const v = plus(<u64>load<u32>(c0 + i), <u64>load<u32>(c1s + i));
    const m = <i32>((<f64>v * <f64>T + <f64>Q / 2) * (1 / <f64>Q)) & (T - 1);
    store<i32>(out + i, m - (<i32>(m >= T / 2) << 18));
  }
}
