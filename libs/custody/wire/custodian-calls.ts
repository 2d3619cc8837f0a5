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
  MOST_SEGMENTS,
  type OpeningRequest,
  type Place,
  type PlacedRows,
  type ScoresPart,
  type SealedTemplate,
  type SegmentRows,
  type SegmentScores,
  TEMPLATES_OF_A_SUBJECT,
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
  MalformedMessage,
  type MessageWriter,
  nothing,
  oneOf,
  optional,
  record,
  slots,
  uint32s,
  whole,
} from './codec.js';

const MOST_TEMPLATES = 2 ** 16;
const MOST_PLACES = 2 ** 20;
const LARGEST = 2 ** 31 - 1;

/** Messages of one call, one after the other; each is in memory of its own. */
export type Messages = AsyncIterator<Buffer<ArrayBuffer>, void>;

/** `Parts`: of an input that is sent while it is made, what follows the first message; else never. */
export interface CustodianCall<Input, Output, Part = never> {
  /** Of the input's arrays it has views: they MUST stay as they are until it was sent. */
  encodeInput(input: Input): MessageWriter;
  /** There if the call is one whose input comes in parts. */
  readonly encodePart?: (part: Part) => MessageWriter;
  decodeOutput(body: Buffer<ArrayBuffer>): Output;
  /** Throws MalformedMessage before anything is done with the message that is none. Gives each back once it is read. */
  serve(custodian: KeyCustodian, messages: Messages): Promise<Buffer<ArrayBuffer>>;
}

export type PartedCall<Input, Output, Part> = Required<CustodianCall<Input, Output, Part>>;

function call<Input, Output>(
  input: Codec<Input>,
  output: Codec<Output>,
  run: (custodian: KeyCustodian, input: Input) => Promise<Output>,
): CustodianCall<Input, Output> {
  return {
    encodeInput: (value) => encode(input, value),
    decodeOutput: (body) => decode(output, body),
    serve: async (custodian, messages) => {
      const asked = await nextOf(input, messages);
      if (asked === undefined) throw new MalformedMessage('a call without an input');
      if ((await messages.next()).done !== true) throw new MalformedMessage('more than the input');
      return encode(output, await run(custodian, asked.value)).whole();
    },
  };
}

function partedCall<Input, Part, Output>(
  input: Codec<Input>,
  part: Codec<Part>,
  output: Codec<Output>,
  run: (custodian: KeyCustodian, input: Input, parts: AsyncIterable<Part>) => Promise<Output>,
): PartedCall<Input, Output, Part> {
  const parts = async function* (messages: Messages): AsyncGenerator<Part> {
    for (;;) {
      const next = await nextOf(part, messages);
      if (next === undefined) return;
      yield next.value;
    }
  };
  return {
    encodeInput: (value) => encode(input, value),
    encodePart: (value) => encode(part, value),
    decodeOutput: (body) => decode(output, body),
    serve: async (custodian, messages) => {
      const asked = await nextOf(input, messages);
      if (asked === undefined) throw new MalformedMessage('a call without an input');
      return encode(output, await run(custodian, asked.value, parts(messages))).whole();
    },
  };
}

/** Undefined after the last. */
async function nextOf<T>(codec: Codec<T>, messages: Messages): Promise<{ readonly value: T } | undefined> {
  const { value: message } = await messages.next();
  if (message === undefined) return undefined;
  try {
    return { value: decode(codec, message) };
  } finally {
    giveBack(message);
  }
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
  places: list(record<Place>({ segmentId, slot }), TEMPLATES_OF_A_SUBJECT),
  threshold: score,
  limit: count,
});

const scoresPart = record<ScoresPart>({
  c1: optional(residues),
  segments: list(record<SegmentScores>({ segmentId, slots, c0: residues }), MOST_SEGMENTS),
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

  openScores: partedCall(
    opening,
    scoresPart,
    list(record<Candidate>({ segmentId, slot, score }), MOST_CANDIDATES),
    (custodian, input, parts) => custodian.openScores(input, parts).finally(() => input.probe.fill(0)),
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
