import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ActingOfficer, actingOfficer } from '../harness/officers.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, ok, similar, verify } from '../harness/story.js';
import { type Answer, type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let machine: TestClient;
let meera: ActingOfficer;
let arjun: ActingOfficer;
/** Without admin:keys. */
let lena: ActingOfficer;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2 });
  machine = await TestClient.create(stack);
});

afterAll(() => stack.stop());

const propose = (by: ActingOfficer, kind: string, payload: object): Promise<Answer> =>
  by.client.post('/v1/admin/proposals', { kind, payload });
const decide = (by: ActingOfficer, { id }: Json, decision = 'approve'): Promise<Answer> =>
  by.client.post(`/v1/admin/proposals/${id}/${decision}`);
const stateOf = async ({ id }: Json): Promise<string> =>
  ok(await meera.client.get(`/v1/admin/proposals/${id}`)).state;

async function inForce(code: string): Promise<Json> {
  const policies: Json[] = ok(await machine.get('/v1/jurisdictions'));
  return policies.find(({ jurisdiction }) => jurisdiction === code);
}

/** Of all audit events about a proposal, the oldest first. */
async function eventsOf({ id }: Json): Promise<{ type: string; outcome: string; details: Json }[]> {
  const { rows } = await stack.owner.query(
    `SELECT type, outcome, details FROM audit_event WHERE details->>'proposalId' = $1 ORDER BY id`,
    [id],
  );
  return rows;
}

test('without officers a client destroys its gallery as ever; with two who can decide it, it is told to ask them', async () => {
  expect((await machine.delete(`/v1/galleries/${await createGallery(machine)}`)).status).toBe(204);
  lena = await actingOfficer(stack, 'admin:audit,admin:compliance');
  meera = await actingOfficer(stack);
  expect((await machine.delete(`/v1/galleries/${await createGallery(machine)}`)).status).toBe(204);
  // The second of them comes while the client's call is under way.
  const gallery = await createGallery(machine);
  const holder = await stack.owner.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM gallery WHERE id = $1 FOR UPDATE', [gallery]);
  const deletion = machine.delete(`/v1/galleries/${gallery}`);
  const waits =
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  await expect.poll(async () => (await stack.owner.query(waits)).rowCount, { timeout: 10_000 }).toBe(1);
  arjun = await actingOfficer(stack);
  await holder.query('COMMIT');
  holder.release();
  const refused = await deletion;
  expect([refused.status, refused.body.code]).toEqual([409, 'approval_required']);
  const { rows } = await stack.owner.query(
    `SELECT code FROM audit_event WHERE type = 'gallery.destroyed' AND gallery_id = $1`,
    [gallery],
  );
  expect(rows).toEqual([{ code: 'approval_required' }]);
  expect((await machine.get(`/v1/galleries/${gallery}`)).status).toBe(200);
});

describe('a threshold', () => {
  const face = embedding(1);
  /** A cosine of some 0.98 with `face`. */
  const lookalike = similar(face, 2, 0.2);
  let gallery: string;
  let subjectId: string;

  const matches = async (at: TestClient): Promise<unknown[]> => [
    ok(await verify(at, gallery, subjectId, lookalike)).match,
    ok(await identify(at, gallery, lookalike)).candidates.length,
  ];

  beforeAll(async () => {
    gallery = await createGallery(machine);
    ({ subjectId } = await enrolledPerson(machine, gallery, face));
  });

  test('is changed by two officers, and from their answer on counts at every replica', async () => {
    const other = machine.at(stack.apis[1]?.url ?? '');
    for (const at of [machine, other]) expect(await matches(at)).toEqual([true, 1]);
    const proposal = ok(
      await propose(meera, 'gallery.threshold', { galleryId: gallery, threshold: { cosine: 0.999 } }),
    );
    expect(proposal).toMatchObject({ state: 'open', proposedBy: meera.officer.id, decidedBy: null });
    for (const at of [machine, other]) expect(await matches(at)).toEqual([true, 1]);
    const approved = ok(await decide(arjun, proposal));
    expect(approved).toMatchObject({ state: 'approved', decidedBy: arjun.officer.id });
    for (const at of [machine, other]) expect(await matches(at)).toEqual([false, 0]);
    expect(ok(await machine.get(`/v1/galleries/${gallery}`)).threshold.cosine).toBe(0.999);
    const back = ok(
      await propose(arjun, 'gallery.threshold', { galleryId: gallery, threshold: { cosine: 0.9 } }),
    );
    ok(await decide(meera, back));
    for (const at of [other, machine]) expect(await matches(at)).toEqual([true, 1]);
    expect(await eventsOf(proposal)).toMatchObject([
      { type: 'proposal.made', details: { officerId: meera.officer.id, kind: 'gallery.threshold' } },
      {
        type: 'proposal.approved',
        details: { proposedBy: meera.officer.id, approvedBy: arjun.officer.id, officerId: arjun.officer.id },
      },
      { type: 'gallery.threshold_changed', details: { from: 0.9, to: 0.999, officerId: arjun.officer.id } },
    ]);
  });

  test('can be set by a false match rate that the model’s card has measured, and by no other', async () => {
    const own = await createGallery(machine);
    const rate = (targetFalseMatchRate: number): Promise<Answer> =>
      propose(meera, 'gallery.threshold', { galleryId: own, threshold: { targetFalseMatchRate } });
    expect((await rate(0.5)).body.code).toBe('unknown_threshold');
    ok(await decide(arjun, ok(await rate(0.0001))));
    expect(ok(await machine.get(`/v1/galleries/${own}`)).threshold).toEqual({
      cosine: 0.9433,
      targetFalseMatchRate: 0.0001,
    });
  });

  test('of two proposals about one gallery the second finds it changed', async () => {
    const payloads = [0.91, 0.92].map((cosine) => ({ galleryId: gallery, threshold: { cosine } }));
    const [one, two] = await Promise.all(
      payloads.map(async (payload) => ok(await propose(meera, 'gallery.threshold', payload))),
    );
    const answers = await Promise.all([decide(arjun, one), decide(lena, two)]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('proposal_stale');
  });
});

describe('a policy', () => {
  const document = JSON.parse(readFileSync('libs/policy/jurisdictions/eu-gdpr.json', 'utf8'));

  test('of a jurisdiction that is new is put in force by two officers, without a line of code', async () => {
    const policy = { ...document, code: 'ZZ-TEST', name: 'Nowhere' };
    const proposal = ok(await propose(meera, 'policy.publish', { policy }));
    expect(await inForce('ZZ-TEST')).toBeUndefined();
    ok(await decide(lena, proposal));
    expect(await inForce('ZZ-TEST')).toMatchObject({ revision: 1, document: { name: 'Nowhere' } });
    ok(await machine.post('/v1/subjects', { jurisdiction: 'ZZ-TEST' }));
    expect((await eventsOf(proposal)).map(({ type }) => type)).toContain('policy.published');
  });

  test('that was changed after it was proposed is not overwritten', async () => {
    const change = async (name: string): Promise<Json> =>
      ok(await propose(meera, 'policy.publish', { policy: { ...document, name } }));
    const [older, newer] = [await change('older'), await change('newer')];
    ok(await decide(arjun, newer));
    expect((await decide(arjun, older)).body.code).toBe('proposal_stale');
    expect((await inForce(document.code)).document.name).toBe('newer');
    ok(await decide(arjun, older, 'reject'));
  });

  test('with a fault is refused when it is proposed, and told where', async () => {
    const policy = { ...document, retention: { ...document.retention, logs: { value: 'a year' } } };
    const refused = await propose(meera, 'policy.publish', { policy });
    expect(refused.body.code).toBe('policy_invalid');
    expect(refused.body.errors.map(({ field }: Json) => field)).toContain('retention.logs.value');
  });
});

describe('a gallery with its keys', () => {
  test('is destroyed by two officers who both may, and stays gone', async () => {
    const gallery = await createGallery(machine);
    const face = embedding(3);
    await enrolledPerson(machine, gallery, face);
    expect((await propose(lena, 'gallery.destroy', { galleryId: gallery })).body.code).toBe(
      'insufficient_scope',
    );
    const proposal = ok(await propose(meera, 'gallery.destroy', { galleryId: gallery }));
    expect((await decide(lena, proposal)).body.code).toBe('insufficient_scope');
    expect(ok(await identify(machine, gallery, face)).candidates).toHaveLength(1);
    ok(await decide(arjun, proposal));
    expect((await identify(machine, gallery, face)).status).toBe(404);
    const { rows } = await stack.owner.query(
      'SELECT count(*)::int AS n FROM custody.key_set WHERE gallery_id = $1',
      [gallery],
    );
    expect(rows).toEqual([{ n: 0 }]);
    expect((await eventsOf(proposal)).map(({ type, outcome }) => [type, outcome])).toEqual([
      ['proposal.made', 'ok'],
      ['proposal.approved', 'refused'],
      ['proposal.approved', 'ok'],
      ['gallery.destroyed', 'ok'],
      ['key_set.destroyed', 'ok'],
    ]);
  });

  test('that is gone meanwhile makes the proposal stale', async () => {
    const gallery = await createGallery(machine);
    const [one, two] = [
      ok(await propose(meera, 'gallery.destroy', { galleryId: gallery })),
      ok(await propose(meera, 'gallery.threshold', { galleryId: gallery, threshold: { cosine: 0.8 } })),
    ];
    ok(await decide(arjun, one));
    expect((await decide(arjun, two)).body.code).toBe('proposal_stale');
    expect((await propose(meera, 'gallery.destroy', { galleryId: gallery })).body.code).toBe(
      'gallery_not_found',
    );
  });

  test('keeps its keys if the approval breaks off, and loses them for certain once it has committed', async () => {
    const gallery = await createGallery(machine);
    const proposal = ok(await propose(meera, 'gallery.destroy', { galleryId: gallery }));
    const keys = async (): Promise<number> =>
      (await stack.owner.query('SELECT FROM custody.key_set WHERE gallery_id = $1', [gallery])).rowCount ?? 0;
    const failing = async (type: string): Promise<number> => {
      await stack.owner.query(
        `ALTER TABLE audit_event ADD CONSTRAINT broken CHECK (type <> '${type}' OR outcome <> 'ok') NOT VALID`,
      );
      const { status } = await decide(arjun, proposal);
      await stack.owner.query('ALTER TABLE audit_event DROP CONSTRAINT broken');
      return status;
    };
    expect(await failing('proposal.approved')).toBe(500);
    expect([await keys(), await stateOf(proposal)]).toEqual([1, 'open']);
    expect(await failing('gallery.destroyed')).toBe(500);
    expect([await keys(), await stateOf(proposal)]).toEqual([1, 'open']);
    // The record of their destruction alone: the decision stands, and the worker ends what it decided.
    expect(await failing('key_set.destroyed')).toBe(200);
    expect(await keys()).toBe(0);
    const { rows } = await stack.owner.query('SELECT gallery_id FROM key_set_destruction');
    expect(rows).toEqual([{ gallery_id: gallery }]);
    expect([await stateOf(proposal), (await machine.get(`/v1/galleries/${gallery}`)).status]).toEqual([
      'approved',
      404,
    ]);
  });
});

describe('nobody decides alone', () => {
  let gallery: string;
  const open = async (by = meera): Promise<Json> =>
    ok(await propose(by, 'gallery.threshold', { galleryId: gallery, threshold: { cosine: 0.8 } }));

  beforeAll(async () => {
    gallery = await createGallery(machine);
  });

  test('neither who proposed it, nor a client whatever its token allows, nor somebody without the scope', async () => {
    const proposal = await open();
    for (const decision of ['approve', 'reject']) {
      expect((await decide(meera, proposal, decision)).body.code).toBe('another_officer_required');
    }
    expect((await decide(arjun, proposal, 'withdraw')).body.code).toBe('proposer_required');
    const client = { ...arjun, client: machine };
    for (const decision of ['approve', 'reject', 'withdraw']) {
      expect((await decide(client, proposal, decision)).body.code).toBe('officer_required');
    }
    expect((await propose(client, 'gallery.threshold', {})).body.code).toBe('officer_required');
    const auditor = await actingOfficer(stack, 'admin:audit');
    expect((await decide(auditor, proposal)).body.code).toBe('insufficient_scope');
    expect(await stateOf(proposal)).toBe('open');
    expect(ok(await machine.get(`/v1/admin/proposals/${proposal.id}`)).state).toBe('open');
    ok(await decide(meera, proposal, 'withdraw'));
  });

  test('a decision is made once: of two officers at once one is answered, and nobody reopens it', async () => {
    const proposal = await open();
    const answers = await Promise.all([decide(arjun, proposal), decide(lena, proposal, 'reject')]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    for (const [by, decision] of [
      [arjun, 'approve'],
      [lena, 'reject'],
      [meera, 'withdraw'],
    ] as const) {
      expect((await decide(by, proposal, decision)).body.code).toBe('proposal_closed');
    }
  });

  test('after 72 hours it is too late', async () => {
    const proposal = await open();
    const { rows } = await stack.owner.query(
      `UPDATE proposal SET expires_at = now() WHERE id = $1 RETURNING (expires_at - proposed_at) < interval '1 hour' AS soon`,
      [proposal.id],
    );
    expect(rows).toEqual([{ soon: true }]);
    expect(new Date(proposal.expiresAt).getTime() - new Date(proposal.proposedAt).getTime()).toBe(
      72 * 3_600_000,
    );
    expect(await stateOf(proposal)).toBe('expired');
    expect((await decide(arjun, proposal)).body.code).toBe('proposal_closed');
  });

  test('a proposal of somebody who is no officer any more is not carried out, and can be rejected', async () => {
    const gone = await actingOfficer(stack);
    const proposal = await open(gone);
    await velum(stack.env, ['officers', 'disable', gone.officer.id]);
    expect((await decide(arjun, proposal)).body.code).toBe('proposal_stale');
    expect(ok(await decide(arjun, proposal, 'reject')).state).toBe('rejected');
  });

  test('the database itself refuses an approval by who proposed it', async () => {
    const { id } = await open();
    await expect(
      stack.owner.query(
        `UPDATE proposal SET state = 'approved', decided_by = proposed_by, decided_at = now() WHERE id = $1`,
        [id],
      ),
    ).rejects.toThrow('proposal_two_persons');
  });

  test('unknown kinds, members and payloads are refused', async () => {
    const galleryId = gallery;
    const bad: [string, object][] = [
      ['gallery.rename', { galleryId }],
      ['constructor', {}],
      ['gallery.threshold', { galleryId }],
      ['gallery.threshold', { galleryId, threshold: {} }],
      ['gallery.threshold', { galleryId, threshold: { cosine: 0.9, targetFalseMatchRate: 0.01 } }],
      ['gallery.threshold', { galleryId, threshold: { cosine: 2 } }],
      ['gallery.destroy', { galleryId, state: 'approved' }],
      ['gallery.destroy', { galleryId: 'x' }],
      ['policy.publish', { policy: [] }],
    ];
    for (const [kind, payload] of bad) {
      const { status } = await propose(meera, kind, payload);
      expect([kind, payload, status]).toEqual([
        kind,
        payload,
        expect.toSatisfy((s: number) => s === 400 || s === 422),
      ]);
    }
    const smuggled = {
      kind: 'gallery.destroy',
      payload: { galleryId },
      state: 'approved',
      proposedBy: arjun.officer.id,
    };
    expect((await meera.client.post('/v1/admin/proposals', smuggled)).status).toBe(400);
  });

  test('a proposal that is sent twice with one Idempotency-Key is one; the list has the newest first', async () => {
    const body = { kind: 'gallery.threshold', payload: { galleryId: gallery, threshold: { cosine: 0.7 } } };
    const send = async (by: ActingOfficer): Promise<string> =>
      ok(await by.client.post('/v1/admin/proposals', body, { 'idempotency-key': 'once' })).id;
    const id = await send(meera);
    expect(await send(meera)).toBe(id);
    const other = await send(arjun);
    expect(other).not.toBe(id);
    const page = ok(await lena.client.get('/v1/admin/proposals?limit=1'));
    expect(page.items.map((each: Json) => each.id)).toEqual([other]);
    const next = ok(await lena.client.get(`/v1/admin/proposals?limit=1&cursor=${page.nextCursor}`));
    expect(next.items.map((each: Json) => each.id)).toEqual([id]);
  });
});
