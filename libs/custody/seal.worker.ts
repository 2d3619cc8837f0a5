import { genuineScores } from '#homomorphic/genuine-scores';
import { giveBack } from '#homomorphic/give-back';
import { NotSealedHere, PairKernel, type UnsealableRows } from '#homomorphic/kernel/pair-kernel';
import { MaskCheck } from '#homomorphic/mask-check';
import { asMaskSeed } from '#homomorphic/mask-seed';
import { asPairScore, asQuantisedTemplate } from '#homomorphic/quantised-vector';
import type { TransformedSum } from '#homomorphic/kernel/ring-kernel';
import { SealEngine } from '#homomorphic/seal-engine';
import { asPad, asRow, type Pad, resealRow, sealTemplate } from '#homomorphic/sealed-row';
import { asSegmentSecret, SegmentKey } from '#homomorphic/segment-key';
import { Keyring } from '#platform/keyring';
import { serveCalls } from '#platform/thread';
import { workerData } from 'node:worker_threads';
import { applyShare } from './internal/key-share.js';
import { RecentlyUsed } from './internal/recently-used.js';
import type { RowsToCompare, SealCalls, WrappedSecret } from './internal/seal-calls.js';
import type { WrappingKeyTexts } from './wrapping-keys.js';

/** The only place where secret keys and pads are in the clear. A key takes 16 KB, pads 4 MiB at 512 dimensions. */
const KEYS_HELD = 1_024;
const PAD_BYTES_HELD = 64 * 2 ** 20;
/** Of 680 galleries at 512 dimensions. */
const CHECK_BYTES_HELD = 16 * 2 ** 20;

interface HeldKey {
  readonly galleryId: string;
  readonly key: SegmentKey;
}

interface HeldPads {
  readonly galleryId: string;
  readonly pads: Uint32Array<ArrayBuffer>;
}

interface HeldCheck {
  readonly galleryId: string;
  readonly check: MaskCheck;
}

const { own, former } = keyringsOf(workerData);
let wrapping = former?.alsoOpening(own) ?? own;
const engine = await SealEngine.create();
const pairKernel = await PairKernel.load();

const keys = new RecentlyUsed<HeldKey>(
  KEYS_HELD,
  () => 1,
  ({ key }) => key[Symbol.dispose](),
);
const pads = new RecentlyUsed<HeldPads>(
  PAD_BYTES_HELD,
  (held) => held.pads.byteLength,
  (held) => held.pads.fill(0),
);

const checks = new RecentlyUsed<HeldCheck>(
  CHECK_BYTES_HELD,
  ({ check }) => check.bytes,
  ({ check }) => check[Symbol.dispose](),
);

function keyringsOf(texts: WrappingKeyTexts): { own: Keyring; former: Keyring | undefined } {
  const read = Keyring.parseCustody(texts.own);
  if (read === undefined) throw new Error('the seal thread was given no keys');
  return { own: read, former: texts.former === undefined ? undefined : Keyring.parse(texts.former) };
}

function contextOf({ galleryId, segmentId, maskSeed }: Omit<WrappedSecret, 'wrapped' | 'share'>): string {
  return `custody.segment ${galleryId} ${segmentId} ${Buffer.from(maskSeed).toString('hex')}`;
}

function segmentKey(wrapped: WrappedSecret): SegmentKey {
  return keys.get(wrapped.segmentId, () => {
    const bytes = wrapping.decrypt(wrapped.wrapped, contextOf(wrapped));
    if (wrapped.share !== undefined) applyShare(bytes, wrapped.share, wrapped.segmentId);
    const secret = asSegmentSecret(bytes);
    bytes.fill(0);
    const key = new SegmentKey(engine.ring, secret);
    secret.fill(0);
    return { galleryId: wrapped.galleryId, key };
  }).key;
}

function segmentPads(wrapped: WrappedSecret, words: number): Uint32Array<ArrayBuffer> {
  return pads.get(wrapped.segmentId, () => {
    const made = segmentKey(wrapped).pads(asMaskSeed(wrapped.maskSeed), words);
    return { galleryId: wrapped.galleryId, pads: made };
  }).pads;
}

/** Whoever asks MUST zero it after use. */
function padAt(all: Uint32Array<ArrayBuffer>, slot: number, words: number): Pad {
  return asPad(all.slice(slot * words, (slot + 1) * words));
}

/** A refusal says a little about the weights: the next check has others. */
function isMadeFrom(
  sum: TransformedSum,
  probe: Int8Array<ArrayBuffer>,
  { galleryId, maskSeed }: WrappedSecret,
): boolean {
  const words = probe.length;
  const { check } = checks.get(galleryId, () => {
    const made = new MaskCheck(engine.ring, asMaskSeed(maskSeed), words);
    return { galleryId, check: made };
  });
  const holds = check.holds(sum, probe);
  if (!holds) checks.drop((held) => held.galleryId === galleryId);
  return holds;
}

/** With the pads that stay in this thread. */
function unsealable({ key, slots, rows, labels }: RowsToCompare, words: number): UnsealableRows {
  return { slots, rows, labels, pads: segmentPads(key, words) };
}

serveCalls<SealCalls>({
  ready: () => ({ value: true }),

  createSecret: (input) => {
    const secret = engine.createSegmentSecret();
    if (input.share !== undefined) applyShare(secret, input.share, input.segmentId);
    const wrapped = wrapping.encrypt(secret, contextOf(input));
    secret.fill(0);
    return { value: wrapped };
  },

  adopt: () => {
    wrapping = former === undefined ? own : own.alsoOpening(former);
    return { value: true };
  },

  rewrap: (wrapped) => ({
    value: wrapped.map((each) => wrapping.reseal(each.wrapped, contextOf(each))),
  }),

  preparePads: ({ key, words }) => {
    segmentPads(key, words);
    return { value: true };
  },

  seal: ({ key, first, templates }) => {
    const words = templates[0]?.length ?? 0;
    const all = segmentPads(key, words);
    const rows = new Uint8Array(templates.length * words * 4);
    templates.forEach((template, n) => {
      const pad = padAt(all, first + n, words);
      rows.set(sealTemplate(pad, asQuantisedTemplate(template)), n * words * 4);
      pad.fill(0);
      template.fill(0);
    });
    return { value: rows, transfer: [rows.buffer] };
  },

  moveRows: ({ from, slots, rows, to, first, words }) => {
    const [old, fresh] = [segmentPads(from, words), segmentPads(to, words)];
    const moved = new Uint8Array(rows.length);
    slots.forEach((slot, n) => {
      const [under, over] = [padAt(old, slot, words), padAt(fresh, first + n, words)];
      const row = asRow(rows.subarray(n * words * 4, (n + 1) * words * 4), words);
      moved.set(resealRow(row, under, over), n * words * 4);
      under.fill(0);
      over.fill(0);
    });
    return { value: moved, transfer: [moved.buffer] };
  },

  openScores: ({ c1, probe, segments, threshold, limit }) => {
    const sum = engine.ring.transformSum(c1);
    const [first] = segments;
    const made = first === undefined || isMadeFrom(sum, probe, first.key);
    if (!made) {
      probe.fill(0);
      return { value: undefined };
    }
    const named = segments.map(({ key, slots, c0 }) => ({ key: segmentKey(key), of: key, slots, c0 }));
    const genuine = genuineScores(named, sum, probe, threshold, limit);
    probe.fill(0);
    for (const { c0 } of segments) giveBack(c0);
    if (genuine === undefined) return { value: undefined };
    const best = genuine.best.map(({ segment, slot, score }) => ({
      segmentId: segment.of.segmentId,
      slot,
      score,
    }));
    return { value: { best, forged: genuine.forged } };
  },

  checkKeys: (wrapped) => {
    try {
      for (const each of wrapped) segmentKey(each);
      return { value: true };
    } catch {
      return { value: false };
    }
  },

  comparePairs: ({ left, right, words, threshold, most }) => {
    const ofLeft = unsealable(left, words);
    const ofRight = right === undefined ? ofLeft : unsealable(right, words);
    try {
      return { value: pairKernel.pairs(ofLeft, ofRight, words, asPairScore(threshold), most) };
    } catch (error) {
      if (error instanceof NotSealedHere) return { value: 'forged' };
      throw error;
    }
  },
  held: () => ({ value: { keys: keys.size, padBytes: pads.size } }),

  forget: ({ galleryId }) => {
    keys.drop((held) => held.galleryId === galleryId);
    pads.drop((held) => held.galleryId === galleryId);
    checks.drop((held) => held.galleryId === galleryId);
    return { value: true };
  },
});
