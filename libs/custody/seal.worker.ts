import { type GalleryKey, SealEngine } from '#homomorphic/seal-engine';
import { asQuantisedTemplate } from '#homomorphic/quantised-vector';
import { asPad, sealTemplate } from '#homomorphic/sealed-row';
import { SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { Keyring } from '#platform/keyring';
import { serveCalls } from '#platform/thread';
import { workerData } from 'node:worker_threads';
import type { OpenedScore, SealCalls, WrappedKey } from './internal/seal-calls.js';

/** The only place where secret keys and pads are in the clear. */
const KEYS_HELD = 64;

const keyring = Keyring.parse(String(workerData));
if (keyring === undefined) throw new Error('the seal thread was given no keys');
const keys = keyring;
const engine = await SealEngine.create();
const held = new Map<string, GalleryKey>();

function galleryKey({ galleryId, wrapped }: WrappedKey): GalleryKey {
  const known = held.get(galleryId);
  // A map keeps its order: what was used last goes to the end, and the first is the one to let go.
  held.delete(galleryId);
  const key = known ?? load(galleryId, wrapped);
  held.set(galleryId, key);
  const [oldest] = held.keys();
  if (held.size > KEYS_HELD && oldest !== undefined) forget(oldest);
  return key;
}

function load(galleryId: string, wrapped: Uint8Array): GalleryKey {
  const secret = keys.decrypt(wrapped, keyContext(galleryId));
  try {
    return engine.loadKey(secret);
  } finally {
    secret.fill(0);
  }
}

function forget(galleryId: string): void {
  held.get(galleryId)?.[Symbol.dispose]();
  held.delete(galleryId);
}

function keyContext(galleryId: string): string {
  return `custody.key_set ${galleryId}`;
}

function padContext(galleryId: string, segmentId: string, slot: number): string {
  return `custody.pad ${galleryId} ${segmentId} ${slot}`;
}

serveCalls<SealCalls>({
  ready: () => ({ value: true }),

  createKey: ({ galleryId }) => {
    const secret = engine.createSecretKey();
    const wrapped = keys.encrypt(secret, keyContext(galleryId));
    secret.fill(0);
    return { value: wrapped };
  },

  openSegment: ({ key, segmentId, words }) => {
    const { pads, masks } = galleryKey(key).openSegment(words);
    const wrapped = Array.from({ length: SLOTS_PER_SEGMENT }, (_, slot) => {
      const pad = new Uint8Array(pads.buffer, slot * words * 4, words * 4);
      return keys.encrypt(pad, padContext(key.galleryId, segmentId, slot));
    });
    pads.fill(0);
    return { value: { pads: wrapped, masks }, transfer: [masks.buffer] };
  },

  seal: ({ galleryId, segmentId, slot, pad, template }) => {
    const bytes = keys.decrypt(pad, padContext(galleryId, segmentId, slot));
    const words = asPad(new Uint32Array(new Uint8Array(bytes).buffer));
    const row = sealTemplate(words, asQuantisedTemplate(template));
    bytes.fill(0);
    words.fill(0);
    template.fill(0);
    return { value: row, transfer: [row.buffer] };
  },

  openScores: ({ key, segments, threshold, limit }) => {
    const loaded = galleryKey(key);
    const candidates: OpenedScore[] = [];
    for (const { segmentId, slots, scores } of segments) {
      loaded.openScores(scores, slots).forEach((score, i) => {
        if (score >= threshold) candidates.push({ segmentId, slot: slots[i] ?? 0, score });
      });
    }
    return { value: candidates.sort((a, b) => b.score - a.score).slice(0, limit) };
  },

  forget: ({ galleryId }) => {
    forget(galleryId);
    return { value: true };
  },
});
