import { RingKernel } from '#homomorphic/kernel/ring-kernel';
import { asMaskSeed } from '#homomorphic/mask-seed';
import { DELTA, Q } from '#homomorphic/parameters';
import { asRow, decodeRow } from '#homomorphic/sealed-row';
import { asSegmentSecret, SegmentKey } from '#homomorphic/segment-key';
import { createDecipheriv, hkdfSync } from 'node:crypto';
import { type Dump, valuesOf } from './dump.js';

const SECRET_BYTES = 544;
const DIGITS = 2_048;

/** What is known to whoever wrote this attack, to tell whether it came to anything. */
export interface Truth {
  /** As they were quantised. */
  readonly templates: readonly (readonly number[])[];
  readonly texts: readonly string[];
}

export interface Spoils {
  /** Sealed rows in hand. */
  readonly rows: number;
  /** Keys of segments that were recognised as such. */
  readonly keys: number;
  /** Templates to the last digit. */
  readonly templates: number;
  /** References of people, in the clear. */
  readonly texts: number;
}

interface Row {
  readonly slot: number;
  readonly residues: Uint32Array;
}

/** Everything that the source code tells, tried on a dump with the secrets at hand. Public: the galleries' mask seeds. */
export async function attack(
  dump: Dump,
  secrets: readonly string[],
  seeds: readonly Uint8Array[],
  truth: Truth,
): Promise<Spoils> {
  const values = valuesOf(dump);
  const stored = values.filter((value) => Buffer.isBuffer(value));
  const bytes = [
    ...stored,
    ...keysIn(secrets).flatMap((key) => stored.flatMap((value) => openedWith(key, value))),
  ];
  const readable = [
    ...values.filter((value) => typeof value === 'string'),
    ...bytes.map((each) => each.toString()),
  ];
  const words = truth.templates[0]?.length ?? 0;
  const rows = rowsIn(dump, words);
  const keys = segmentSecrets(
    bytes,
    values.filter((value) => typeof value === 'string'),
  );
  const ring = await RingKernel.load();
  const found = new Set<number>();
  for (const secret of keys) {
    using key = new SegmentKey(ring, asSegmentSecret(secret));
    for (const seed of seeds) {
      const pads = key.pads(asMaskSeed(seed), words);
      for (const { slot, residues } of rows) {
        const unsealed = withoutPad(residues, pads.subarray(slot * words, (slot + 1) * words));
        const n = truth.templates.findIndex((template) =>
          template.every((digit, i) => digit === unsealed[i]),
        );
        if (n >= 0) found.add(n);
      }
    }
  }
  return {
    rows: rows.length,
    keys: keys.length,
    templates: found.size,
    texts: truth.texts.filter((text) => readable.some((each) => each.includes(text))).length,
  };
}

/** The largest absolute cosine of anything that arithmetic on rows alone gives, with what it would have to be. */
export function bestWithoutKeys(rows: readonly (Row & { readonly template: readonly number[] })[]): number {
  let best = 0;
  const compare = (guess: ArrayLike<number>, wanted: readonly number[]): void => {
    best = Math.max(best, Math.abs(cosine(guess, wanted)));
  };
  for (const one of rows) {
    compare(withoutPad(one.residues, new Uint32Array(one.residues.length)), one.template);
    for (const other of rows) {
      if (other === one) continue;
      // Were two pads alike or related, the difference or the sum of rows would show that of the templates.
      const difference = withoutPad(one.residues, other.residues);
      compare(
        difference,
        one.template.map((digit, i) => digit - (other.template[i] ?? 0)),
      );
      compare(difference, one.template);
      const xor = one.residues.map((residue, i) => (residue ^ (other.residues[i] ?? 0)) >>> 0);
      compare(withoutPad(xor, new Uint32Array(xor.length)), one.template);
      // Who knows one template knows its pad: tried on every other row.
      const pad = one.residues.map((residue, i) => mod(residue - (one.template[i] ?? 0) * DELTA));
      compare(withoutPad(other.residues, pad), other.template);
    }
  }
  return best;
}

export function rowsIn(dump: Dump, words: number): Row[] {
  return [...dump.values()].flat().flatMap((row) => {
    const { row: sealed, slot } = row;
    if (!Buffer.isBuffer(sealed) || sealed.length !== words * 4) return [];
    return [{ slot: Number(slot), residues: decodeRow(asRow(new Uint8Array(sealed), words)) }];
  });
}

function keysIn(secrets: readonly string[]): Buffer[] {
  return secrets
    .flatMap((text) => text.split(/\s+/))
    .map((line) => Buffer.from(line.slice(line.indexOf(':') + 1), 'base64'))
    .filter((key) => key.length === 32);
}

/** As libs/platform/keyring.ts lays values out. What is authenticated need not be known: GCM hides with counter mode alone. */
function openedWith(key: Buffer, value: Buffer): Buffer[] {
  const head = 1 + (value[0] ?? 0);
  if (head > 33 || value.length < head + 28) return [];
  const decipher = createDecipheriv('aes-256-gcm', key, value.subarray(head, head + 12));
  return [decipher.update(value.subarray(head + 12, value.length - 16))];
}

/** What has the form of a segment's secret: no digit is 3, which happens by chance once in (4/3)^2048. */
function segmentSecrets(bytes: readonly Buffer[], strings: readonly string[]): Uint8Array[] {
  const candidates = bytes.filter(({ length }) => length === SECRET_BYTES);
  const ids = [...new Set(strings)].filter((text) => /^[0-9a-f-]{36}$/.test(text));
  const shares = bytes.filter(({ length }) => length === 32);
  const streams = ids.flatMap((id) =>
    shares.map(
      (share) => new Uint8Array(hkdfSync('sha256', share, '', `velum segment secret ${id}`, SECRET_BYTES)),
    ),
  );
  const found = candidates.flatMap((candidate) => [
    candidate,
    ...streams.map((stream) => candidate.map((byte, i) => byte ^ (stream[i] ?? 0))),
  ]);
  const distinct = new Map(found.filter(isTernary).map((each) => [Buffer.from(each).toString('hex'), each]));
  return [...distinct.values()];
}

function isTernary(secret: Uint8Array): boolean {
  for (let i = 0; i < DIGITS; i++) if ((((secret[i >> 2] ?? 0) >> (2 * (i & 3))) & 3) === 3) return false;
  return true;
}

/** Digits of what was sealed, if the pad is the right one. */
function withoutPad(residues: Uint32Array, pad: Uint32Array): number[] {
  return Array.from(residues, (residue, i) => {
    const hidden = mod(residue - (pad[i] ?? 0));
    return Math.round((hidden > Q / 2 ? hidden - Q : hidden) / DELTA);
  });
}

function mod(value: number): number {
  return ((value % Q) + Q) % Q;
}

function cosine(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let [product, ones, others] = [0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i] ?? 0, other[i] ?? 0];
    product += a * b;
    ones += a * a;
    others += b * b;
  }
  return product / Math.sqrt(ones * others || 1);
}
