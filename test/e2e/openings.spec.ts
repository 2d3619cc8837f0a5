import { CustodyDatabase } from '#custody/custody-database';
import { OpeningRefused, OpeningsLimited, SubjectOpeningsLimited } from '#custody/custody.errors';
import type {
  Candidate,
  OpeningRequest,
  Place,
  ScoresPart,
  SealedTemplate,
  SegmentScores,
} from '#custody/key-custodian';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { DELTA, Q, SLOTS_PER_SEGMENT } from '#homomorphic/parameters';
import {
  asScore,
  cosineToScore,
  innerProduct,
  type QuantisedProbe,
  quantiseProbe,
  quantiseTemplate,
} from '#homomorphic/quantised-vector';
import { loadConfig } from '#platform/config';
import { type ClientId, type GalleryId, newId } from '#platform/ids';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { matched, type MatchedRequest, openMatched, placesOf } from '../harness/matching.js';
import { Stack } from '../harness/stack.js';
import { embedding } from '../harness/story.js';

const DIMENSION = 100;
const LIMITS = {
  OPENINGS_PER_CLIENT_PER_MINUTE: '40',
  OPENINGS_PER_GALLERY_PER_MINUTE: '30',
  OPENINGS_PER_SUBJECT_PER_MINUTE: '5',
  OPENINGS_PER_SUBJECT_PER_DAY: '12',
};

let stack: Stack;
let db: CustodyDatabase;
let custodian: LocalKeyCustodian;
let replica: LocalKeyCustodian;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0, env: LIMITS });
  const config = loadConfig({ ...process.env, ...stack.env });
  db = await CustodyDatabase.connect(config);
  const keys = await WrappingKeys.load(config);
  custodian = new LocalKeyCustodian(db, config, keys);
  replica = new LocalKeyCustodian(db, config, keys);
  await Promise.all([custodian.ready(), replica.ready()]);
});

afterAll(async () => {
  await Promise.all([custodian.onApplicationShutdown(), replica.onApplicationShutdown()]);
  await db.destroy();
  await stack.stop();
});

/** Limits count by the minutes of the clock: a test that begins late in one would see two. */
beforeEach(async () => {
  await expect.poll(secondOfTheMinute, { timeout: 20_000, interval: 200 }).toBeLessThan(50);
}, 30_000);

/** A gallery with the faces 1, 2, 3 … */
class FilledGallery {
  readonly clientId: ClientId = newId();

  private constructor(
    readonly galleryId: GalleryId,
    readonly sealed: readonly SealedTemplate[],
  ) {}

  static async of(count: number): Promise<FilledGallery> {
    return FilledGallery.with(Array.from({ length: count }, (_, i) => i + 1));
  }

  static async with(faces: readonly number[]): Promise<FilledGallery> {
    const galleryId: GalleryId = newId();
    await custodian.createKeySet(galleryId, DIMENSION);
    const templates = faces.map((face) => quantiseTemplate(embedding(face, DIMENSION)));
    return new FilledGallery(galleryId, await custodian.seal(galleryId, templates));
  }

  /** Asks whether `probe` shows face n. */
  async about(n: number, probe = probeOf(n)): Promise<MatchedRequest> {
    const one = this.sealed.slice(n - 1, n);
    return this.request('subject', one, probe);
  }

  async search(probe: QuantisedProbe): Promise<MatchedRequest> {
    return this.request('gallery', this.sealed, probe);
  }

  private async request(
    about: 'subject' | 'gallery',
    sealed: readonly SealedTemplate[],
    probe: QuantisedProbe,
  ): Promise<MatchedRequest> {
    const seed = await custodian.maskSeed(this.galleryId);
    const { clientId, galleryId } = this;
    const scores = await matched(DIMENSION, seed, sealed, probe);
    return { about, clientId, galleryId, ...scores, threshold: cosineToScore(0.9), limit: 10 };
  }

  async records(): Promise<unknown[]> {
    const { rows } = await stack.owner.query(
      `SELECT client_id, segments, slots, threshold, passed, withheld, forged, outcome FROM custody.opening
       WHERE gallery_id = $1 ORDER BY at`,
      [this.galleryId],
    );
    return rows.map(({ client_id, ...row }) => {
      expect(client_id).toBe(this.clientId);
      return row;
    });
  }
}

function probeOf(n: number): QuantisedProbe {
  return quantiseProbe(embedding(n, DIMENSION));
}

function open(request: MatchedRequest, by = custodian): Promise<readonly Candidate[]> {
  return openMatched(by, request);
}

/** How many times of `count` at once it is answered, and the first refusal. */
async function attempts(
  request: MatchedRequest,
  count: number,
  by = [custodian],
): Promise<{ answered: number; refusal: unknown }> {
  const all = await Promise.allSettled(
    Array.from({ length: count }, (_, i) => open(request, by[i % by.length])),
  );
  const refused = all.find((each) => each.status === 'rejected');
  return {
    answered: all.filter(({ status }) => status === 'fulfilled').length,
    refusal: refused?.reason,
  };
}

async function secondOfTheMinute(): Promise<number> {
  const { rows } = await stack.owner.query('SELECT extract(second FROM clock_timestamp())::float8 AS s');
  return rows[0].s;
}

/** As if so many minutes had passed. */
async function minutesPass(minutes: number): Promise<void> {
  await stack.owner.query(
    `UPDATE custody.opening_count SET minute = minute - make_interval(mins => $1),
       blocked_until = blocked_until - make_interval(mins => $1)`,
    [minutes],
  );
}

async function waitOf(refusal: Promise<unknown>): Promise<number> {
  const error = await refusal.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof OpeningsLimited) && !(error instanceof SubjectOpeningsLimited)) throw error;
  return error.retryAfterSeconds ?? 0;
}

describe('a matcher that lies', () => {
  let gallery: FilledGallery;
  let honest: MatchedRequest;

  beforeAll(async () => {
    gallery = await FilledGallery.of(20);
    honest = await gallery.search(probeOf(3));
  });

  test('is refused and recorded, and one that does not is answered', async () => {
    const [first] = gallery.sealed;
    if (first === undefined) throw new Error('nothing sealed');
    const lies: [string, Partial<MatchedRequest>][] = [
      ['one coefficient of c1 is another', { c1: honest.c1.with(77, ((honest.c1[77] ?? 0) + 1) % Q) }],
      ['a constant as c1, which shows the key', { c1: new Uint32Array(SLOTS_PER_SEGMENT).fill(DELTA, 0, 1) }],
      ['nothing as c1', { c1: new Uint32Array(SLOTS_PER_SEGMENT) }],
      ['the c1 of another probe', { c1: (await gallery.search(probeOf(4))).c1 }],
      ['another probe', { probe: probeOf(4) }],
      ['twice the probe', await gallery.search(scaled(probeOf(3), 2))],
      ['half the probe', await gallery.search(scaled(probeOf(3), 0.5))],
      ['no probe', await gallery.search(scaled(probeOf(3), 0))],
      ['a word of c1 that is no residue', { c1: honest.c1.with(77, Q) }],
      [
        'a word of c0 that is none',
        { segments: [{ ...segmentOf(honest), c0: segmentOf(honest).c0.with(5, Q) }] },
      ],
      ['more candidates than are given out', { limit: 201 }],
      ['a whole gallery as one person', { about: 'subject' }],
      ['a slot that holds nothing', { segments: [{ ...segmentOf(honest), slots: Uint16Array.of(1_500) }] }],
      ['a segment of nobody', { segments: [{ ...segmentOf(honest), segmentId: newId() }] }],
    ];
    for (const [lie, part] of lies) {
      await expect(open({ ...honest, ...part }), lie).rejects.toThrow(OpeningRefused);
    }
    const opened = await open(honest);
    const score = innerProduct(quantiseTemplate(embedding(3, DIMENSION)), probeOf(3));
    expect(opened).toEqual([{ segmentId: first.segmentId, slot: 2, score }]);
    const records = await gallery.records();
    expect(records.slice(0, -1)).toEqual(
      lies.map(([, part]) => ({
        segments: 1,
        slots: part.segments?.[0]?.slots.length ?? 20,
        threshold: honest.threshold,
        passed: 0,
        withheld: 0,
        forged: 0,
        outcome: 'refused',
      })),
    );
    expect(records.at(-1)).toMatchObject({ passed: 1, outcome: 'opened' });
  });

  test('is answered nothing where it shifts c0 by less than a score, which would tell the key, and that is recorded', async () => {
    const other = await FilledGallery.of(2);
    const request = await other.search(probeOf(1));
    const segment = segmentOf(request);
    const shifts = [1, DELTA / 2, DELTA - 1, DELTA + 1, Q - 1, Q - DELTA - 1];
    for (const shift of shifts) {
      const c0 = segment.c0.with(0, ((segment.c0[0] ?? 0) + shift) % Q);
      expect(await open({ ...request, segments: [{ ...segment, c0 }] })).toEqual([]);
    }
    expect(await open(request)).toHaveLength(1);
    expect(await other.records()).toMatchObject([
      ...shifts.map(() => ({ passed: 0, forged: 1, outcome: 'opened' })),
      { passed: 1, forged: 0, outcome: 'opened' },
    ]);
  });

  test('gets what it asks for where it shifts c0 by scores: what it is answered is counted', async () => {
    const other = await FilledGallery.of(1);
    const request = await other.about(1, probeOf(9));
    const segment = segmentOf(request);
    const c0 = segment.c0.map((word) => (word + 110_000 * DELTA) % Q);
    const shifted = { ...request, segments: [{ ...segment, c0 }], threshold: asScore(1) };
    const exact = innerProduct(quantiseTemplate(embedding(1, DIMENSION)), probeOf(9));
    expect(await open(shifted)).toEqual([expect.objectContaining({ score: exact + 110_000 })]);
    expect((await attempts(shifted, 10)).answered).toBe(4);
  });
});

describe('scores that come in parts', () => {
  let gallery: FilledGallery;
  let asked: OpeningRequest;
  let c1: ScoresPart['c1'];
  let rows: readonly SegmentScores[];

  beforeAll(async () => {
    // The first three are one face.
    gallery = await FilledGallery.with([1, 1, 1, 2]);
    const { c1: masks, segments, ...request } = await gallery.search(probeOf(1));
    c1 = masks;
    asked = { ...request, places: [] };
    rows = segments.flatMap(({ segmentId, slots, c0 }) =>
      Array.from(slots, (slot) => ({ segmentId, slots: Uint16Array.of(slot), c0 })),
    );
  });

  const of = (...nth: number[]): SegmentScores[] =>
    rows.filter((_, n) => nth.includes(n)).map((row) => ({ ...row, c0: row.c0.slice() }));
  const later = (...nth: number[]): ScoresPart => ({ c1: undefined, segments: of(...nth) });

  test('are opened as if they were one, and recorded as one', async () => {
    const opened = await openParts(asked, { c1, segments: [] }, later(3, 1), later(0), later(2));
    expect(new Set(opened.map(({ slot }) => slot))).toEqual(new Set([0, 1, 2]));
    expect(opened).toHaveLength(3);
    const best = await openParts({ ...asked, limit: 1 }, { c1, segments: of(3) }, later(0), later(1));
    expect(best).toHaveLength(1);
    expect((await gallery.records()).slice(-2)).toMatchObject([
      { segments: 4, slots: 4, passed: 3, outcome: 'opened' },
      { segments: 3, slots: 3, passed: 1, outcome: 'opened' },
    ]);
  });

  test('are refused where a later one lies, and counted to the end where nothing is opened at all', async () => {
    const other = (await gallery.search(probeOf(2))).c1;
    const lies: [string, Partial<OpeningRequest>, ScoresPart[]][] = [
      ['no part', {}, []],
      ['no c1', {}, [later(0)]],
      ['a c1 that comes later', {}, [later(0), { c1, segments: of(1) }]],
      [
        'another c1 for what follows',
        {},
        [
          { c1, segments: of(0) },
          { c1: other, segments: of(1) },
        ],
      ],
      ['a later word that is no residue', {}, [{ c1, segments: [] }, notResidues(later(0))]],
      ['more candidates than are given out', { limit: 201 }, [{ c1, segments: of(0) }, later(1), later(2)]],
    ];
    for (const [lie, part, parts] of lies) {
      await expect(openParts({ ...asked, ...part }, ...parts), lie).rejects.toThrow(OpeningRefused);
    }
    expect((await gallery.records()).slice(-lies.length)).toMatchObject(
      lies.map(([, , parts]) => ({
        slots: parts.reduce((sum, { segments }) => sum + segments.length, 0),
        passed: 0,
        outcome: 'refused',
      })),
    );
  });

  test('of a person are those that were named, and counted, and no others', async () => {
    const about = { ...asked, about: 'subject' as const };
    const [one = never(), two = never(), ...more] = placesOf(rows);
    const lies: [string, readonly Place[], ScoresPart[]][] = [
      ['another template', [one], [{ c1, segments: of(1) }]],
      ['one more, later', [one], [{ c1, segments: of(0) }, later(1)]],
      ['the same one again, later', [one], [{ c1, segments: of(0) }, later(0)]],
      ['one that is named twice, and would count once', [one, one], [{ c1, segments: of(0) }, later(0)]],
      ['more than a person has', Array(11).fill(one), [{ c1, segments: of(0) }]],
      ['none that is named', [], [{ c1, segments: of(0) }]],
    ];
    for (const [lie, places, parts] of lies) {
      await expect(openParts({ ...about, places }, ...parts), lie).rejects.toThrow(OpeningRefused);
    }
    await expect(openParts({ ...asked, places: [one] }, { c1, segments: of(0) })).rejects.toThrow(
      OpeningRefused,
    );
    await minutesPass(1);
    expect(await openParts({ ...about, places: [one, two] }, { c1, segments: of(0) }, later(1))).toHaveLength(
      2,
    );
    expect(await openParts({ ...about, places: more }, { c1, segments: of(3) })).toEqual([]);
  });

  test('are answered nothing where they break off, and counted and recorded all the same', async () => {
    const about = await FilledGallery.of(1);
    const { c1: masks, segments, ...request } = await about.about(1);
    const places = placesOf(segments);
    const breakOff = (given: Partial<OpeningRequest> = {}): Promise<unknown> =>
      custodian.openScores({ ...request, places, ...given }, breakingOff({ c1: masks, segments: [] }));
    for (let n = 0; n < 5; n++) await expect(breakOff()).rejects.toThrow(RangeError);
    await expect(breakOff({ limit: 201 })).rejects.toThrow(RangeError);
    expect(await about.records()).toMatchObject([
      ...Array.from({ length: 5 }, () => ({ passed: 0, outcome: 'opened' })),
      { passed: 0, outcome: 'refused' },
    ]);
    // A minute has five about a person.
    await expect(breakOff()).rejects.toThrow(RangeError);
    await expect(openMatched(custodian, { c1: masks, segments, ...request })).rejects.toThrow(
      SubjectOpeningsLimited,
    );
    expect((await about.records()).slice(-2)).toMatchObject([{ outcome: 'limited' }, { outcome: 'limited' }]);
  });

  test('are limited as if they were one: so many segments, and no part but the first without any', async () => {
    const many = Array.from({ length: 2 ** 14 + 1 }, () => of(0)).flat();
    await expect(openParts(asked, { c1, segments: [] }, { c1: undefined, segments: many })).rejects.toThrow(
      OpeningRefused,
    );
    await expect(openParts(asked, { c1, segments: of(0) }, later())).rejects.toThrow(OpeningRefused);
  });
});

function openParts(request: OpeningRequest, ...parts: ScoresPart[]): Promise<readonly Candidate[]> {
  return custodian.openScores(request, inParts(parts));
}

async function* breakingOff(part: ScoresPart): AsyncGenerator<ScoresPart> {
  yield part;
  throw new RangeError('of the matcher');
}

async function* inParts(parts: readonly ScoresPart[]): AsyncGenerator<ScoresPart> {
  yield* parts;
}

function notResidues({ c1, segments }: ScoresPart): ScoresPart {
  return { c1, segments: segments.map((each) => ({ ...each, c0: each.c0.with(5, Q) })) };
}

function never(): never {
  throw new Error('nothing sealed');
}

describe('openings about one person', () => {
  test('are limited by the minute, whichever replica is asked, and those about others are not', async () => {
    const gallery = await FilledGallery.of(2);
    const request = await gallery.about(1);
    expect(await open(request)).toHaveLength(1);
    const { answered, refusal } = await attempts(request, 10, [custodian, replica]);
    expect(answered).toBe(4);
    expect(refusal).toBeInstanceOf(SubjectOpeningsLimited);
    expect(await open(await gallery.about(2))).toHaveLength(1);
    expect((await gallery.records()).filter((row) => Object(row).outcome === 'limited')).toHaveLength(6);
  });

  test('wait longer each time that the limit is exceeded, and no longer for being refused; then they are free', async () => {
    const gallery = await FilledGallery.of(1);
    const request = await gallery.about(1, probeOf(50));
    expect(await waitAfterExcess(request)).toBeLessThanOrEqual(60);
    // Refused many times meanwhile.
    expect((await attempts(request, 20)).answered).toBe(0);
    // Searches still find the person meanwhile.
    expect(await open(await gallery.search(probeOf(1)))).toHaveLength(1);
    expect(await waitOf(open(request))).toBeLessThanOrEqual(60);
    await minutesPass(1);
    expect(await waitAfterExcess(request)).toBeGreaterThan(15);
    expect(await secondsBlocked(gallery)).toBe(15);
    // The day's twelve are not used up by what was refused.
    await minutesPass(2);
    expect(await attempts(request, 2)).toEqual({ answered: 2, refusal: undefined });
  });

  test('are limited by the day', async () => {
    const gallery = await FilledGallery.of(1);
    const request = await gallery.about(1, probeOf(50));
    let answered = 0;
    for (let minute = 0; minute < 6; minute++) {
      answered += (await attempts(request, 4)).answered;
      await minutesPass(minute === 5 ? 0 : 1);
    }
    expect(answered).toBe(12);
    const { rows } = await stack.owner.query(
      `SELECT extract(epoch FROM date_trunc('day', now(), 'UTC') + interval '1 day' - now())::int AS s`,
    );
    // minutesPass moved the end of the block, too.
    expect(await waitOf(open(request))).toBeGreaterThan(Math.max(0, rows[0].s - 600));
    await minutesPass(24 * 60);
    expect((await attempts(request, 1)).answered).toBe(1);
  });
});

describe('searches', () => {
  test('find a person so often a day, and from then on as if the person were not there', async () => {
    const gallery = await FilledGallery.of(12);
    const request = await gallery.search(probeOf(3));
    const found: number[] = [];
    for (let i = 0; i < 14; i++) found.push((await open(request)).length);
    expect(found).toEqual([...Array.from({ length: 12 }, () => 1), 0, 0]);
    expect(await open(await gallery.search(probeOf(4)))).toHaveLength(1);
    expect((await gallery.records()).slice(11, 14)).toMatchObject([
      { passed: 1, withheld: 0, outcome: 'opened' },
      { passed: 0, withheld: 1, outcome: 'opened' },
      { passed: 0, withheld: 1, outcome: 'opened' },
    ]);
  });

  test('find who comes behind a person who may not be found any more, however many templates that one has', async () => {
    const gallery = await FilledGallery.with([...Array.from({ length: 10 }, () => 1), 2]);
    const [one, two] = [embedding(1, DIMENSION), embedding(2, DIMENSION)];
    const both = quantiseProbe(one.map((value, i) => value + (two[i] ?? 0) / 2));
    const request = { ...(await gallery.search(both)), threshold: cosineToScore(0.3) };
    const found: number[] = [];
    for (let i = 0; i < 12; i++) found.push((await open(request)).length);
    expect(found).toEqual(Array.from({ length: 12 }, () => 10));
    expect(await open(request)).toEqual([expect.objectContaining({ slot: 10 })]);
    expect((await gallery.records()).at(-1)).toMatchObject({ passed: 1, withheld: 10, outcome: 'opened' });
  });

  test('are limited for the gallery and for the client, exactly, with two replicas at work', async () => {
    const gallery = await FilledGallery.of(12);
    const request = await gallery.search(probeOf(99));
    expect(await open(request)).toEqual([]);
    const first = await attempts(request, 50, [custodian, replica]);
    expect(first.answered).toBe(29);
    expect(first.refusal).toBeInstanceOf(OpeningsLimited);
    // Another gallery of the same client, which has used up 40 by now.
    const other = await FilledGallery.of(12);
    const { clientId } = gallery;
    const elsewhere = { ...(await other.search(probeOf(99))), clientId };
    await minutesPass(1);
    expect((await attempts(request, 30)).answered).toBe(30);
    expect((await attempts(elsewhere, 30)).answered).toBe(10);
    const nobodyElse = await FilledGallery.of(12);
    expect(await open(await nobodyElse.search(probeOf(1)))).toHaveLength(1);
  });
});

describe('the record of openings', () => {
  test('is there before the answer, or there is no answer', async () => {
    const gallery = await FilledGallery.of(1);
    const request = await gallery.about(1);
    await stack.owner.query('REVOKE INSERT ON custody.opening FROM velum_custodian');
    await expect(open(request)).rejects.toThrow(/permission denied/);
    await stack.owner.query('GRANT INSERT ON custody.opening TO velum_custodian');
    await stack.owner.query('REVOKE INSERT ON custody.opening_count FROM velum_custodian');
    await expect(open(request)).rejects.toThrow(/permission denied/);
    await stack.owner.query('GRANT INSERT ON custody.opening_count TO velum_custodian');
    expect(await open(request)).toHaveLength(1);
    expect(await gallery.records()).toHaveLength(1);
  });

  test('is kept for a year, which the custodian cannot shorten', async () => {
    const gallery = await FilledGallery.of(1);
    await open(await gallery.about(1));
    await open(await gallery.about(1));
    await stack.owner.query(
      `UPDATE custody.opening SET at = now() - interval '1 year 1 minute'
       WHERE ctid = (SELECT min(ctid) FROM custody.opening WHERE gallery_id = $1)`,
      [gallery.galleryId],
    );
    await expect(db.query('DELETE FROM custody.opening')).rejects.toThrow(/permission denied/);
    await expect(db.query('UPDATE custody.opening SET at = now()')).rejects.toThrow(/permission denied/);
    await db.query('SELECT custody.forget_openings()');
    expect(await gallery.records()).toHaveLength(1);
  });
});

test('whether keys unwrap is told without opening anything', async () => {
  const gallery = await FilledGallery.of(1);
  const [sealed] = gallery.sealed;
  if (sealed === undefined) throw new Error('nothing sealed');
  await custodian.checkKeys(gallery.galleryId, [sealed.segmentId]);
  expect(await gallery.records()).toEqual([]);
  await expect(custodian.checkKeys(gallery.galleryId, [newId()])).rejects.toThrow(OpeningRefused);
  await custodian.destroy(gallery.galleryId);
  await expect(custodian.checkKeys(gallery.galleryId, [sealed.segmentId])).rejects.toMatchObject({
    problem: { code: 'key_set_destroyed' },
  });
});

async function waitAfterExcess(request: MatchedRequest): Promise<number> {
  expect((await attempts(request, 6)).answered).toBe(5);
  return waitOf(open(request));
}

/** Beyond the end of its minute. */
async function secondsBlocked({ sealed }: FilledGallery): Promise<number> {
  const { rows } = await stack.owner.query(
    `SELECT extract(epoch FROM blocked_until - minute - interval '1 minute')::int AS s FROM custody.opening_count
     WHERE kind = 'template' AND id = $1 AND slot = $2`,
    [sealed[0]?.segmentId, sealed[0]?.slot],
  );
  return rows[0].s;
}

function scaled(probe: QuantisedProbe, factor: number): QuantisedProbe {
  probe.forEach((digit, i) => (probe[i] = Math.round(digit * factor)));
  return probe;
}

function segmentOf(request: MatchedRequest): MatchedRequest['segments'][number] {
  const [segment] = request.segments;
  if (segment === undefined) throw new Error('no segment');
  return segment;
}
