import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVIDENCE } from '../harness/agreement.js';
import { Stack } from '../harness/stack.js';
import {
  consentingSubject,
  createGallery,
  embedding,
  enrol,
  enrolledPerson,
  grantConsent,
  identify,
  ok,
  similar,
  verify,
} from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start({ apis: 2, worker: true });
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

/** The same client at the second process. */
const elsewhere = (): TestClient => client.at(stack.apis[1]?.url ?? '');

describe('enrolment, verification and identification', () => {
  test('the same face is accepted, another is refused, and 1:N finds who it is', async () => {
    const gallery = await createGallery(client);
    const people = await Promise.all(
      [1, 2, 3, 4, 5].map((i) => enrolledPerson(client, gallery, embedding(i))),
    );
    const [first, second] = people;
    expect(ok(await verify(client, gallery, first?.subjectId ?? '', similar(embedding(1), 99)))).toEqual({
      match: true,
    });
    expect(ok(await verify(client, gallery, first?.subjectId ?? '', embedding(2)))).toEqual({ match: false });
    const { candidates } = ok(await identify(client, gallery, similar(embedding(2), 98)));
    expect(candidates).toEqual([{ subjectId: second?.subjectId, templateId: expect.any(String) }]);
    expect(ok(await identify(client, gallery, embedding(77))).candidates).toEqual([]);
  });

  test('1:N answers the best first and never more than topK', async () => {
    const gallery = await createGallery(client, { threshold: { cosine: 0.5 } });
    const face = embedding(10);
    const near = await enrolledPerson(client, gallery, similar(face, 1, 0.5));
    const nearest = await enrolledPerson(client, gallery, face);
    const nearer = await enrolledPerson(client, gallery, similar(face, 2, 0.25));
    const all = ok(await identify(client, gallery, face, 5)).candidates;
    expect(all.map((c: { subjectId: string }) => c.subjectId)).toEqual(
      [nearest, nearer, near].map((p) => p.subjectId),
    );
    expect(ok(await identify(client, gallery, face, 2)).candidates).toHaveLength(2);
  });

  test('a subject with several templates is named once, by its best', async () => {
    const gallery = await createGallery(client, { threshold: { cosine: 0.5 } });
    const person = await enrolledPerson(client, gallery, similar(embedding(20), 3, 0.2));
    const best = ok(await enrol(client, gallery, person.subjectId, embedding(20)));
    const { candidates } = ok(await identify(client, gallery, embedding(20), 5));
    expect(candidates).toEqual([{ subjectId: person.subjectId, templateId: best.id }]);
  });

  test('no answer holds a score; a gallery may disclose a band', async () => {
    const gallery = await createGallery(client, { disclosure: 'band', threshold: { cosine: 0.8 } });
    const person = await enrolledPerson(client, gallery, embedding(30));
    expect(ok(await verify(client, gallery, person.subjectId, embedding(30)))).toEqual({
      match: true,
      band: 'strong',
    });
    const farther = similar(embedding(30), 4, 0.6);
    expect(ok(await verify(client, gallery, person.subjectId, farther))).toEqual({
      match: true,
      band: 'sufficient',
    });
  });

  test("a client's own model of 512 dimensions works, and its vectors must have that length", async () => {
    const gallery = await createGallery(client, {
      model: 'arcface-r100',
      dimension: 512,
      threshold: { cosine: 0.4 },
    });
    const person = await enrolledPerson(client, gallery, embedding(40, 512));
    expect(ok(await verify(client, gallery, person.subjectId, embedding(40, 512)))).toEqual({ match: true });
    const wrong = await verify(client, gallery, person.subjectId, embedding(40, 128));
    expect([wrong.status, wrong.body.code]).toEqual([422, 'embedding_invalid']);
  });

  test('a subject has ten templates in a gallery at the most', async () => {
    const gallery = await createGallery(client);
    const { subjectId } = await consentingSubject(client);
    for (let i = 0; i < 10; i++) ok(await enrol(client, gallery, subjectId, embedding(50 + i)));
    const eleventh = await enrol(client, gallery, subjectId, embedding(61));
    expect([eleventh.status, eleventh.body.code]).toEqual([409, 'too_many_templates']);
    const templates = ok(await client.get(`/v1/galleries/${gallery}/subjects/${subjectId}/templates`));
    expect(templates).toHaveLength(10);
    expect(templates[0]).toMatchObject({ bytes: 512, photos: 0 });
  });
});

test('a gallery that says nothing of its threshold gets that of one false match in a thousand', async () => {
  const gallery = ok(await client.post('/v1/galleries', { name: 'Defaults', purpose: 'audit' }));
  expect(gallery.threshold).toEqual({ cosine: 0.9292, targetFalseMatchRate: 0.001 });
  expect([gallery.disclosure, gallery.presentationAttack, gallery.dimension]).toEqual(['none', 'off', 128]);
});

describe('consent', () => {
  test('without it nothing is enrolled or verified', async () => {
    const gallery = await createGallery(client);
    const subject = ok(await client.post('/v1/subjects', {}));
    for (const refused of [
      await enrol(client, gallery, subject.id, embedding(1)),
      await verify(client, gallery, subject.id, embedding(1)),
    ]) {
      expect([refused.status, refused.body.code]).toEqual([403, 'consent_required']);
    }
  });

  test('for another purpose does not count', async () => {
    const gallery = await createGallery(client);
    const person = await consentingSubject(client, 'authentication');
    expect((await enrol(client, gallery, person.subjectId, embedding(1))).body.code).toBe('consent_required');
  });

  test('once withdrawn, no process matches the face, and the worker erases it', async () => {
    const gallery = await createGallery(client);
    const person = await enrolledPerson(client, gallery, embedding(70));
    const found = ok(await identify(elsewhere(), gallery, embedding(70))).candidates;
    expect(found).toHaveLength(1);
    const ended = ok(await client.post(`/v1/consents/${person.consentId}/withdraw`));
    expect(ended.state).toBe('withdrawn');
    for (const process of [client, elsewhere()]) {
      expect(ok(await identify(process, gallery, embedding(70))).candidates).toEqual([]);
      expect((await verify(process, gallery, person.subjectId, embedding(70))).body.code).toBe(
        'consent_required',
      );
    }
    await expect.poll(() => countTemplates(person.subjectId), { timeout: 20_000 }).toBe(0);
    const again = ok(await client.post(`/v1/consents/${person.consentId}/withdraw`));
    expect(again.endedAt).toBe(ended.endedAt);
  });

  test('given anew after a withdrawal, the person must be enrolled anew', async () => {
    const gallery = await createGallery(client);
    const person = await enrolledPerson(client, gallery, embedding(71));
    ok(await client.post(`/v1/consents/${person.consentId}/withdraw`));
    await grantConsent(client, person.subjectId);
    // At once: whether the worker has erased the old template by now must not matter.
    expect(ok(await identify(client, gallery, embedding(71))).candidates).toEqual([]);
    expect((await verify(client, gallery, person.subjectId, embedding(71))).body.code).toBe(
      'subject_not_enrolled',
    );
    await expect.poll(() => countTemplates(person.subjectId), { timeout: 20_000 }).toBe(0);
    ok(await enrol(client, gallery, person.subjectId, embedding(71)));
    expect(ok(await identify(client, gallery, embedding(71))).candidates).toHaveLength(1);
  });

  test('that has run out does not count from that moment on, and its template is erased', async () => {
    const gallery = await createGallery(client);
    const expiresAt = new Date(Date.now() + 1_500);
    const { subjectId } = await consentingSubject(client, 'access_control', expiresAt);
    ok(await enrol(client, gallery, subjectId, embedding(72)));
    await expect
      .poll(async () => ok(await identify(client, gallery, embedding(72))).candidates, { timeout: 10_000 })
      .toEqual([]);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime());
    await expect.poll(() => countTemplates(subjectId), { timeout: 30_000 }).toBe(0);
  });

  test('cannot be recorded twice, or for a purpose that its notice does not name', async () => {
    const person = await consentingSubject(client);
    const notice = ok(
      await client.post('/v1/notices', {
        purpose: 'audit',
        language: 'en',
        title: 'Audit',
        text: 'We audit.',
      }),
    );
    const body = {
      subjectId: person.subjectId,
      purpose: 'access_control',
      noticeId: notice.id,
      evidence: EVIDENCE,
    };
    expect((await client.post('/v1/consents', body)).body.code).toBe('notice_for_another_purpose');
    const own = ok(await client.get(`/v1/consents/${person.consentId}`));
    const twice = await client.post('/v1/consents', { ...body, noticeId: own.noticeId });
    expect([twice.status, twice.body.code]).toEqual([409, 'consent_already_active']);
  });
});

describe('two API processes', () => {
  test('a face enrolled through one is found through the other on the next call', async () => {
    const gallery = await createGallery(client);
    for (let i = 0; i < 5; i++) {
      const person = await enrolledPerson(client, gallery, embedding(100 + i));
      const { candidates } = ok(await identify(elsewhere(), gallery, embedding(100 + i)));
      expect(candidates.map((c: { subjectId: string }) => c.subjectId)).toEqual([person.subjectId]);
    }
  });

  test('a template or subject erased through one is gone for the other', async () => {
    const gallery = await createGallery(client);
    const first = await enrolledPerson(client, gallery, embedding(110));
    const second = await enrolledPerson(client, gallery, embedding(111));
    expect(ok(await identify(elsewhere(), gallery, embedding(110))).candidates).toHaveLength(1);
    const [template] = ok(await client.get(`/v1/galleries/${gallery}/subjects/${first.subjectId}/templates`));
    const path = `/v1/galleries/${gallery}/subjects/${first.subjectId}/templates/${template.id}`;
    expect((await client.delete(path)).status).toBe(204);
    expect((await client.delete(path)).body.code).toBe('template_not_found');
    expect((await client.delete(`/v1/subjects/${second.subjectId}`)).status).toBe(204);
    for (const face of [110, 111]) {
      expect(ok(await identify(elsewhere(), gallery, embedding(face))).candidates).toEqual([]);
    }
    expect((await client.get(`/v1/subjects/${second.subjectId}`)).body.code).toBe('subject_not_found');
  });

  test('a destroyed gallery is gone with its keys and rows', async () => {
    const gallery = await createGallery(client);
    await enrolledPerson(client, gallery, embedding(120));
    expect((await client.delete(`/v1/galleries/${gallery}`)).status).toBe(204);
    expect((await identify(elsewhere(), gallery, embedding(120))).body.code).toBe('gallery_not_found');
    const left = await stack.owner.query(
      `SELECT (SELECT count(*) FROM custody.key_set WHERE gallery_id = $1)
            + (SELECT count(*) FROM custody.segment WHERE gallery_id = $1)
            + (SELECT count(*) FROM template WHERE gallery_id = $1) AS n`,
      [gallery],
    );
    expect(Number(left.rows[0].n)).toBe(0);
  });
});

describe('a request sent twice with one Idempotency-Key', () => {
  test('enrols once', async () => {
    const gallery = await createGallery(client);
    const { subjectId } = await consentingSubject(client);
    const header = { 'idempotency-key': 'enrol-once' };
    const answers = await Promise.all(
      [1, 2, 3].map(() => enrol(client, gallery, subjectId, embedding(130), header)),
    );
    expect(new Set(answers.map((a) => ok(a).id)).size).toBe(1);
    expect(await countTemplates(subjectId)).toBe(1);
  });

  test('is refused if it is another request', async () => {
    const header = { 'idempotency-key': 'reused' };
    ok(await client.post('/v1/subjects', { reference: 'first' }, header));
    const other = await client.post('/v1/subjects', { reference: 'second' }, header);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  });
});

describe('what is kept', () => {
  test('a reference is found by its owner and unreadable in the database', async () => {
    const subject = ok(await client.post('/v1/subjects', { reference: 'staff-4711' }));
    expect(ok(await client.get('/v1/subjects?reference=staff-4711')).items).toEqual([subject]);
    expect((await client.post('/v1/subjects', { reference: 'staff-4711' })).body.code).toBe(
      'subject_reference_taken',
    );
    const stored = await stack.owner.query('SELECT reference FROM subject WHERE id = $1', [subject.id]);
    expect(stored.rows[0].reference.toString('latin1')).not.toContain('4711');
  });

  test('every decision is in the audit log, with the refusals', async () => {
    const gallery = await createGallery(client);
    const person = await enrolledPerson(client, gallery, embedding(140));
    await verify(client, gallery, person.subjectId, embedding(140));
    await verify(client, gallery, person.subjectId, embedding(141));
    await identify(client, gallery, embedding(140));
    ok(await client.post(`/v1/consents/${person.consentId}/withdraw`));
    await verify(client, gallery, person.subjectId, embedding(140));
    await expect.poll(() => countTemplates(person.subjectId), { timeout: 20_000 }).toBe(0);
    const { items } = ok(await client.get(`/v1/admin/audit-events?subjectId=${person.subjectId}&limit=100`));
    const trail = items.map(({ type, outcome, code }: Record<string, string>) =>
      [type, outcome, code].filter(Boolean).join(' '),
    );
    expect(trail.toSorted()).toEqual(
      [
        'subject.registered ok',
        'consent.granted ok',
        'template.enrolled ok',
        'subject.verified match',
        'subject.verified no_match',
        'gallery.identified match',
        'consent.withdrawn ok',
        'subject.verified refused consent_required',
        'template.erased ok',
      ].toSorted(),
    );
  });

  test('the audit log can be neither changed nor deleted by the apps', async () => {
    const { Client } = await import('pg');
    const app = new Client({ connectionString: stack.urls.app });
    await app.connect();
    try {
      for (const statement of [
        'UPDATE audit_event SET type = type',
        'DELETE FROM audit_event',
        'TRUNCATE audit_event',
      ]) {
        await expect(app.query(statement)).rejects.toThrow(/permission denied/);
      }
      await expect(app.query('UPDATE consent_fact SET kind = kind')).rejects.toThrow(/permission denied/);
    } finally {
      await app.end();
    }
  });

  test('lists come in pages whose cursor cannot be made up', async () => {
    for (let i = 0; i < 3; i++) ok(await client.post('/v1/subjects', {}));
    const seen = new Set<string>();
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { items: { id: string }[]; nextCursor: string | null } = ok(
        await client.get(`/v1/subjects?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`),
      );
      for (const { id } of page.items) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      cursor = page.nextCursor;
    }
    const { rows } = await stack.owner.query(
      'SELECT count(*)::int AS n FROM subject WHERE erased_at IS NULL',
    );
    expect(seen.size).toBe(rows[0].n);
    expect((await client.get('/v1/subjects?cursor=AAAA')).body.code).toBe('invalid_cursor');
  });
});

async function countTemplates(subjectId: string): Promise<number> {
  const { rows } = await stack.owner.query('SELECT count(*)::int AS n FROM template WHERE subject_id = $1', [
    subjectId,
  ]);
  return rows[0].n;
}
