import { MAX_DIMENSION, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import { asMaskSeed } from '#homomorphic/mask-seed';
import { asPairScore, asScore, quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { asRow } from '#homomorphic/sealed-row';
import { newId } from '#platform/ids';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GalleryScores, KeyCustodian, type OpeningRequest, type SegmentRows } from '../key-custodian.js';
import { MalformedMessage } from './codec.js';
import { CUSTODIAN_CALLS, type CustodianCall, isCustodianCall } from './custodian-calls.js';

const names = Object.keys(CUSTODIAN_CALLS).filter(isCustodianCall);

/** A port whose every method notes what it was given and answers what it is told. */
function recording(answer: unknown): { custodian: KeyCustodian; given: unknown[][] } {
  const given: unknown[][] = [];
  const custodian = Object.create(KeyCustodian.prototype);
  custodian.openScores = async (request: OpeningRequest, scores: GalleryScores): Promise<unknown> => {
    given.push([structuredClone(request)]);
    for await (const part of scores) given.push([structuredClone(part)]);
    return answer;
  };
  for (const name of names) {
    if (name === 'openScores') continue;
    custodian[name] = async (...input: unknown[]): Promise<unknown> => {
      // As it came: the probe is zeroed once it was used.
      given.push(structuredClone(input));
      return answer;
    };
  }
  return { custodian, given };
}

async function* messages(...bodies: Buffer<ArrayBuffer>[]): AsyncGenerator<Buffer<ArrayBuffer>, void> {
  yield* bodies;
}

async function across<Input, Output>(
  call: CustodianCall<Input, Output>,
  input: Input,
  output: Output,
): Promise<{ given: unknown[] | undefined; answered: Output }> {
  const { custodian, given } = recording(output);
  const answer = await call.serve(custodian, messages(call.encodeInput(input).whole()));
  return { given: given[0], answered: call.decodeOutput(answer) };
}

const face = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 200 })
  .filter((values) => values.some((value) => Math.abs(value) > 0.01));
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const residues = fc
  .array(word, { minLength: 8, maxLength: 8 })
  .map((some) => Uint32Array.from({ length: SLOTS_PER_SEGMENT }, (_, i) => some[i % 8] ?? 0));
const slots = fc
  .uniqueArray(fc.integer({ min: 0, max: SLOTS_PER_SEGMENT - 1 }), { maxLength: SLOTS_PER_SEGMENT })
  .chain((some) =>
    fc.constantFrom(
      some,
      some.toSorted((a, b) => a - b),
      [...Array(SLOTS_PER_SEGMENT).keys()],
    ),
  )
  .map((some) => Uint16Array.from(some));
const segment = fc
  .record({ slots, c0: residues })
  .map((some) => ({ segmentId: newId<'segment'>(), ...some }));
const score = fc.integer({ min: -(2 ** 17), max: 2 ** 17 });

const opening = fc
  .record({
    face,
    slots: fc.array(fc.nat(SLOTS_PER_SEGMENT - 1), { maxLength: 10 }),
    score,
    limit: fc.nat(200),
  })
  .map(({ face: values, slots: some, score: threshold, limit }) => ({
    about: limit % 2 === 0 ? ('subject' as const) : ('gallery' as const),
    places: some.map((slot) => ({ segmentId: newId<'segment'>(), slot })),
    clientId: newId<'client'>(),
    galleryId: newId<'gallery'>(),
    probe: quantiseProbe(values),
    threshold: asScore(threshold),
    limit,
  }));
const part = fc.record({
  c1: fc.option(residues, { nil: undefined }),
  segments: fc.array(segment, { maxLength: 4 }),
});

test('scores to open and what is opened of them cross as they are', async () => {
  const candidates = fc.array(fc.tuple(fc.nat(SLOTS_PER_SEGMENT - 1), score), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(opening, fc.array(part, { maxLength: 3 }), candidates, async (request, parts, found) => {
      const output = found.map(([slot, each]) => ({
        segmentId: newId<'segment'>(),
        slot,
        score: asScore(each),
      }));
      const { encodeInput, encodePart, serve, decodeOutput } = CUSTODIAN_CALLS.openScores;
      const { custodian, given } = recording(output);
      const sent = [encodeInput(request), ...parts.map(encodePart)].map((message) => message.whole());
      expect(decodeOutput(await serve(custodian, messages(...sent)))).toEqual(output);
      expect(given).toEqual([[request], ...parts.map((each) => [each])]);
      expect(sent.every(({ buffer }) => buffer.detached)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('templates to seal and their rows cross as they are, and no copy stays in the message', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(face, { maxLength: 5 }), async (faces) => {
      const input = { galleryId: newId<'gallery'>(), templates: faces.map(quantiseTemplate) };
      const output = faces.map((_, slot) => ({
        segmentId: newId<'segment'>(),
        slot,
        row: asRow(
          Uint8Array.from({ length: 256 }, (__, i) => i + slot),
          64,
        ),
      }));
      const { custodian, given } = recording(output);
      const body = CUSTODIAN_CALLS.seal.encodeInput(input).whole();
      const answer = await CUSTODIAN_CALLS.seal.serve(custodian, messages(body));
      expect(given).toEqual([[input.galleryId, input.templates]]);
      expect(CUSTODIAN_CALLS.seal.decodeOutput(Buffer.from(answer))).toEqual(output);
      expect(body.buffer.detached).toBe(true);
    }),
  );
});

test('a message is sent in pieces as it is whole', () => {
  fc.assert(
    fc.property(part, fc.integer({ min: 1, max: 40_000 }), (scores, most) => {
      const message = CUSTODIAN_CALLS.openScores.encodePart(scores);
      const pieces = Array.from(message.pieces(most), (piece) => Buffer.concat(piece));
      expect(Buffer.concat(pieces).equals(message.whole())).toBe(true);
      expect(pieces.slice(0, -1).every(({ length }) => length === most)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

function rows(length: number): SegmentRows {
  return {
    segmentId: newId<'segment'>(),
    slots: Uint16Array.from({ length }, (_, i) => i * 2),
    rows: new Uint8Array(length * 256).fill(7),
    labels: new Uint32Array(length).fill(2 ** 32 - 1),
  };
}

test('all other methods cross, too', async () => {
  const galleryId = newId<'gallery'>();
  for (const right of [rows(3), undefined]) {
    const request = { galleryId, left: rows(4), right, threshold: asPairScore(170_000) };
    const pairs = [{ left: 1, right: 2, score: asPairScore(190_000) }];
    expect(await across(CUSTODIAN_CALLS.comparePairs, request, pairs)).toEqual({
      given: [request],
      answered: pairs,
    });
  }
  const seed = asMaskSeed(new Uint8Array(32).fill(9));
  expect(await across(CUSTODIAN_CALLS.maskSeed, { galleryId }, seed)).toEqual({
    given: [galleryId],
    answered: seed,
  });
  const places = [{ segmentId: newId<'segment'>(), slot: 2047 }];
  expect(await across(CUSTODIAN_CALLS.countUsable, places, 1)).toEqual({ given: [places], answered: 1 });
  const rotationId = newId<'key-rotation'>();
  const segmentIds = [newId<'segment'>(), newId<'segment'>()];
  expect(await across(CUSTODIAN_CALLS.beginRotation, { galleryId, rotationId }, segmentIds)).toEqual({
    given: [galleryId, rotationId],
    answered: segmentIds,
  });
  const { labels: _, ...placed } = rows(2);
  const moved = [{ segmentId: newId<'segment'>(), slot: 5, row: asRow(new Uint8Array(256).fill(8), 64) }];
  expect(await across(CUSTODIAN_CALLS.reseal, { galleryId, rows: placed }, moved)).toEqual({
    given: [galleryId, placed],
    answered: moved,
  });
  expect((await across(CUSTODIAN_CALLS.destroySegments, { galleryId, segmentIds }, undefined)).given).toEqual(
    [galleryId, segmentIds],
  );
  expect((await across(CUSTODIAN_CALLS.checkKeys, { galleryId, segmentIds }, undefined)).given).toEqual([
    galleryId,
    segmentIds,
  ]);
  expect((await across(CUSTODIAN_CALLS.retire, places, undefined)).given).toEqual([places]);
  const held = { keys: 3, padBytes: 2 ** 26 };
  expect(await across(CUSTODIAN_CALLS.held, undefined, held)).toEqual({ given: [], answered: held });
  expect(
    (await across(CUSTODIAN_CALLS.createKeySet, { galleryId, dimension: 512 }, undefined)).given,
  ).toEqual([galleryId, 512]);
  for (const call of [CUSTODIAN_CALLS.preparePads, CUSTODIAN_CALLS.destroy]) {
    expect((await across(call, { galleryId }, undefined)).given).toEqual([galleryId]);
  }
});

test('what is no message is refused as such, and nothing is done', async () => {
  const { encodeInput, encodePart } = CUSTODIAN_CALLS.openScores;
  const request = encodeInput(fc.sample(opening, 1)[0] ?? never()).whole();
  const valid = encodePart(fc.sample(part, 1)[0] ?? never()).whole();
  const rubbish = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(valid.length - 1).map((length) => Buffer.from(valid.subarray(0, length))),
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => Buffer.concat([valid, more])),
    // Any four bytes, counts among them, become something else.
    fc.tuple(fc.nat(400), fc.uint8Array({ minLength: 4, maxLength: 4 })).map(([at, bytes]) => {
      const changed = Buffer.from(valid);
      changed.set(bytes, at);
      return changed;
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), rubbish, async (name, body) => {
      const { custodian, given } = recording([]);
      const before = name === 'openScores' ? [Buffer.from(new Uint8Array(request))] : [];
      const refusal = await CUSTODIAN_CALLS[name]
        .serve(custodian, messages(...before, Buffer.from(new Uint8Array(body))))
        .then(
          () => undefined,
          (error: unknown) => error,
        );
      // What happens to be a message was passed on, and then only the recorder's answer may be at fault.
      if (given.length === before.length) expect(refusal).toBeInstanceOf(MalformedMessage);
    }),
    { numRuns: 2_000 },
  );
});

test('of a message that breaks off nothing stays, either', async () => {
  const input = { galleryId: newId<'gallery'>(), templates: [quantiseTemplate(Array(64).fill(1))] };
  const body = Buffer.from(new Uint8Array(CUSTODIAN_CALLS.seal.encodeInput(input).whole()).slice(0, -1));
  const { custodian } = recording([]);
  await expect(CUSTODIAN_CALLS.seal.serve(custodian, messages(body))).rejects.toThrow(MalformedMessage);
  expect(body.every((byte) => byte === 0)).toBe(true);
});

test.each([
  [
    'a slot that no segment has',
    'countUsable',
    Buffer.concat([
      int(1),
      Buffer.alloc(8, 0x11),
      Buffer.from([0x90]),
      Buffer.alloc(7, 0x11),
      int(SLOTS_PER_SEGMENT),
    ]),
  ],
  ['a list that says it is longer than the message', 'countUsable', int(2 ** 20)],
  ['an id that is none', 'destroy', Buffer.alloc(16, 0x11)],
  [
    'a dimension that no gallery has',
    'createKeySet',
    Buffer.concat([
      Buffer.alloc(6, 0x11),
      Buffer.from([0x71, 0x11, 0x91]),
      Buffer.alloc(7, 0x11),
      int(MAX_DIMENSION + 1),
    ]),
  ],
] as const)('%s is refused', async (_, name, body) => {
  const { custodian, given } = recording(undefined);
  await expect(CUSTODIAN_CALLS[name].serve(custodian, messages(body))).rejects.toThrow(MalformedMessage);
  expect(given).toEqual([]);
});

function int(value: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function never(): never {
  throw new Error('fast-check gave no sample');
}
