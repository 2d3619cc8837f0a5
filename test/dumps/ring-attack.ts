import { Q, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';

const N = SLOTS_PER_SEGMENT;
const q = BigInt(Q);

/**
 * Solves b = a·s for s in Z_q[x]/(x^N + 1), exactly: what remains of a segment to whoever knows its pads, if the noise in
 * them is overlooked. Multiplication is pointwise after a transform over the 2N-th roots of unity.
 */
export function solveWithoutNoise(a: Uint32Array, b: Uint32Array): bigint[] {
  const [left, right] = [transform(a), transform(b)];
  return back(left.map((each, i) => ((right[i] ?? 0n) * inverse(each)) % q));
}

export function product(a: Uint32Array, s: readonly number[]): Uint32Array {
  const [left, right] = [transform(a), transform(s)];
  return Uint32Array.from(back(left.map((each, i) => (each * (right[i] ?? 0n)) % q)), Number);
}

/** How many coefficients are -1, 0 or 1, as those of a key are. */
export function ternaryOf(s: readonly bigint[]): number {
  return s.filter((each) => each <= 1n || each === q - 1n).length;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, factor] = [1n, base % q];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % q;
    factor = (factor * factor) % q;
  }
  return result;
}

function inverse(value: bigint): bigint {
  return power(value, q - 2n);
}

/** A primitive 2N-th root of unity: its N-th power is -1. */
function root(): bigint {
  for (let base = 2n; ; base++) {
    const candidate = power(base, (q - 1n) / BigInt(2 * N));
    if (power(candidate, BigInt(N)) === q - 1n) return candidate;
  }
}

function transform(polynomial: ArrayLike<number>): bigint[] {
  const psi = root();
  let twist = 1n;
  const twisted = Array.from(polynomial, (each) => {
    const value = (((BigInt(each) % q) + q) * twist) % q;
    twist = (twist * psi) % q;
    return value;
  });
  return cyclic(twisted, (psi * psi) % q);
}

function back(values: readonly bigint[]): bigint[] {
  const psi = root();
  const untwist = inverse(psi);
  const scaled = cyclic(values, inverse((psi * psi) % q));
  let factor = inverse(BigInt(N));
  return scaled.map((each) => {
    const value = (each * factor) % q;
    factor = (factor * untwist) % q;
    return value;
  });
}

function cyclic(values: readonly bigint[], omega: bigint): bigint[] {
  if (values.length === 1) return [...values];
  const squared = (omega * omega) % q;
  const even = cyclic(
    values.filter((_, i) => i % 2 === 0),
    squared,
  );
  const odd = cyclic(
    values.filter((_, i) => i % 2 === 1),
    squared,
  );
  const [low, high]: [bigint[], bigint[]] = [[], []];
  let factor = 1n;
  even.forEach((each, i) => {
    const turned = (factor * (odd[i] ?? 0n)) % q;
    low.push((each + turned) % q);
    high.push((each - turned + q) % q);
    factor = (factor * omega) % q;
  });
  return [...low, ...high];
}
