import { giveBack } from '#homomorphic/give-back';
import { MAX_DIMENSION, MIN_DIMENSION, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asMaskSeed, type MaskSeed } from '#homomorphic/mask-seed';
import {
  asPairScore,
  asQuantisedProbe,
  asQuantisedTemplate,
  asScore,
  type QuantisedTemplate,
} from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import type { GalleryId, KeyRotationId, SegmentId } from '#platform/ids';
import {
  type AlikePair,
  type Candidate,
  type ComparisonRequest,
  type HeldSecrets,
  type KeyCustodian,
  MOST_CANDIDATES,
  MOST_PAIRS,
  type OpeningRequest,
  type Place,
  type PlacedRows,
  type SealedTemplate,
  type SegmentRows,
  type SegmentScores,
} from '../key-custodian.js';
import {
  bytes,
  checked,
  type Codec,
  decode,
  encode,
  id,
  int16s,
  int8s,
  list,
  type MessageWriter,
  nothing,
  oneOf,
  optional,
  record,
  slots,
  uint32s,
  whole,
} from './codec.js';

const MOST_SEGMENTS = 2 ** 14;
const MOST_TEMPLATES = 2 ** 16;
const MOST_PLACES = 2 ** 20;
const LARGEST = 2 ** 31 - 1;

export interface CustodianCall<Input, Output> {
  /** Of the input's arrays it has views: they MUST stay as they are until it was sent. */
  encodeInput(input: Input): MessageWriter;
  decodeOutput(body: Buffer<ArrayBuffer>): Output;
  /** Throws MalformedMessage before anything is done. Gives `body` back once it is read. */
  serve(custodian: KeyCustodian, body: Buffer<ArrayBuffer>): Promise<Buffer<ArrayBuffer>>;
}

function call<Input, Output>(
  input: Codec<Input>,
  output: Codec<Output>,
  run: (custodian: KeyCustodian, input: Input) => Promise<Output>,
): CustodianCall<Input, Output> {
  return {
    encodeInput: (value) => encode(input, value),
    decodeOutput: (body) => decode(output, body),
    serve: async (custodian, body) => {
      let asked: Input;
      try {
        asked = decode(input, body);
      } finally {
        giveBack(body);
      }
      return encode(output, await run(custodian, asked)).whole();
    },
  };
}

const galleryId = id<'gallery'>();
const segmentId = id<'segment'>();
const slot = whole(0, SLOTS_PER_SEGMENT - 1);
const count = whole(0, LARGEST);
const score = checked(whole(-LARGEST, LARGEST), asScore);
const pairScore = checked(whole(-LARGEST, LARGEST), asPairScore);
const residues = uint32s(SLOTS_PER_SEGMENT, SLOTS_PER_SEGMENT);
const template = checked(int16s(MAX_DIMENSION), asQuantisedTemplate);
const row = checked(bytes(0, MAX_DIMENSION * 4), (value) => asRow(value, value.length / 4));
const maskSeed: Codec<MaskSeed> = checked(bytes(32, 32), asMaskSeed);

const sealedTemplates = list(record<SealedTemplate>({ segmentId, slot, row }), MOST_TEMPLATES);
const rows = bytes(0, SLOTS_PER_SEGMENT * MAX_DIMENSION * 4);

const segmentRows = record<SegmentRows>({
  segmentId,
  slots,
  rows,
  labels: uint32s(0, SLOTS_PER_SEGMENT),
});

const opening = record<OpeningRequest>({
  about: oneOf(['subject', 'gallery']),
  clientId: id<'client'>(),
  galleryId,
  probe: checked(int8s(MAX_DIMENSION), asQuantisedProbe),
  c1: residues,
  segments: list(record<SegmentScores>({ segmentId, slots, c0: residues }), MOST_SEGMENTS),
  threshold: score,
  limit: count,
});

const places = list(record<Place>({ segmentId, slot }), MOST_PLACES);

const ofGallery = record<{ readonly galleryId: GalleryId }>({ galleryId });

/** What the custodian's process answers: the methods of its port, by their names, and nothing else. */
export const CUSTODIAN_CALLS = {
  ready: call(nothing, nothing, (custodian) => custodian.ready()),

  held: call(nothing, record<HeldSecrets>({ keys: count, padBytes: count }), (custodian) => custodian.held()),

  createKeySet: call(
    record<{ readonly galleryId: GalleryId; readonly dimension: number }>({
      galleryId,
      dimension: whole(MIN_DIMENSION, MAX_DIMENSION),
    }),
    nothing,
    (custodian, input) => custodian.createKeySet(input.galleryId, input.dimension),
  ),

  preparePads: call(ofGallery, nothing, async (custodian, input) => custodian.preparePads(input.galleryId)),

  seal: call(
    record<{ readonly galleryId: GalleryId; readonly templates: readonly QuantisedTemplate[] }>({
      galleryId,
      templates: list(template, MOST_TEMPLATES),
    }),
    sealedTemplates,
    (custodian, input) => custodian.seal(input.galleryId, input.templates),
  ),

  maskSeed: call(ofGallery, maskSeed, (custodian, input) => custodian.maskSeed(input.galleryId)),

  openScores: call(
    opening,
    list(record<Candidate>({ segmentId, slot, score }), MOST_CANDIDATES),
    (custodian, input) => custodian.openScores(input).finally(() => input.probe.fill(0)),
  ),

  checkKeys: call(
    record<{ readonly galleryId: GalleryId; readonly segmentIds: readonly SegmentId[] }>({
      galleryId,
      segmentIds: list(segmentId, MOST_SEGMENTS),
    }),
    nothing,
    (custodian, input) => custodian.checkKeys(input.galleryId, input.segmentIds),
  ),

  retire: call(places, nothing, (custodian, gone) => custodian.retire(gone)),

  countUsable: call(places, count, (custodian, named) => custodian.countUsable(named)),

  comparePairs: call(
    record<ComparisonRequest>({
      galleryId,
      left: segmentRows,
      right: optional(segmentRows),
      threshold: pairScore,
    }),
    list(record<AlikePair>({ left: count, right: count, score: pairScore }), MOST_PAIRS),
    (custodian, input) => custodian.comparePairs(input),
  ),

  beginRotation: call(
    record<{ readonly galleryId: GalleryId; readonly rotationId: KeyRotationId }>({
      galleryId,
      rotationId: id<'key-rotation'>(),
    }),
    list(segmentId, MOST_SEGMENTS),
    (custodian, input) => custodian.beginRotation(input.galleryId, input.rotationId),
  ),

  reseal: call(
    record<{ readonly galleryId: GalleryId; readonly rows: PlacedRows }>({
      galleryId,
      rows: record<PlacedRows>({ segmentId, slots, rows }),
    }),
    sealedTemplates,
    (custodian, input) => custodian.reseal(input.galleryId, input.rows),
  ),

  destroySegments: call(
    record<{ readonly galleryId: GalleryId; readonly segmentIds: readonly SegmentId[] }>({
      galleryId,
      segmentIds: list(segmentId, MOST_SEGMENTS),
    }),
    nothing,
    (custodian, input) => custodian.destroySegments(input.galleryId, input.segmentIds),
  ),

  destroy: call(ofGallery, nothing, (custodian, input) => custodian.destroy(input.galleryId)),
} satisfies Record<keyof KeyCustodian, CustodianCall<never, unknown>>;

export type CustodianCallName = keyof typeof CUSTODIAN_CALLS;

export function isCustodianCall(name: string): name is CustodianCallName {
  return Object.hasOwn(CUSTODIAN_CALLS, name);
}
