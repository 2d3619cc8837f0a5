import type { PoolClient } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../../infra/dev/ports.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, identify, verify } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const face = embedding(1);

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

/** Whoever comes to this row waits; whoever waited is gone, and did nothing, when this returns. */
async function killedAt(row: string, galleryId: string, what: () => Promise<unknown>): Promise<void> {
  const holder: PoolClient = await stack.owner.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM ${row} WHERE gallery_id = '${galleryId}' FOR UPDATE`);
    const asked = what().catch(() => undefined);
    const waiting = `SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM ${row}%'`;
    await vi.waitFor(async () => expect((await stack.owner.query(waiting)).rowCount).toBe(1), {
      timeout: 20_000,
      interval: 20,
    });
    await Promise.all(stack.apis.map((api) => api.stop('SIGKILL')));
    await asked;
    await stack.owner.query(`SELECT pg_terminate_backend(pid) FROM (${waiting}) AS w`);
    await vi.waitFor(async () => expect((await stack.owner.query(waiting)).rowCount).toBe(0));
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  client = client.at((await stack.startApi()).url);
}

async function left(galleryId: string): Promise<{ galleries: number; keys: number; decided: number }> {
  const { rows } = await stack.owner.query(
    `SELECT (SELECT count(*)::int FROM gallery WHERE id = $1) AS galleries,
            (SELECT count(*)::int FROM custody.key_set WHERE gallery_id = $1) AS keys,
            (SELECT count(*)::int FROM key_set_destruction WHERE gallery_id = $1) AS decided`,
    [galleryId],
  );
  return rows[0];
}

async function recorded(galleryId: string): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `SELECT type FROM audit_event WHERE gallery_id = $1 AND type ~ 'destroyed' AND outcome = 'ok' ORDER BY id`,
    [galleryId],
  );
  return rows.map(({ type }) => type);
}

test('a gallery whose end was decided answers nothing, and its keys are destroyed whatever is killed before they are', async () => {
  const galleryId = await createGallery(client, { model: 'mine', dimension: 128 });
  const { subjectId } = await enrolledPerson(client, galleryId, face);
  await killedAt('custody.key_set', galleryId, () => client.delete(`/v1/galleries/${galleryId}`));
  expect(await left(galleryId)).toEqual({ galleries: 0, keys: 1, decided: 1 });
  expect(await recorded(galleryId)).toEqual(['gallery.destroyed']);
  for (const answer of [
    await client.get(`/v1/galleries/${galleryId}`),
    await verify(client, galleryId, subjectId, face),
    await identify(client, galleryId, face),
    await client.delete(`/v1/galleries/${galleryId}`),
  ]) {
    expect([answer.status, answer.body.code]).toEqual([404, 'gallery_not_found']);
  }
  await destroyedByWorker(galleryId);
});

test('killed between the custodian and the record, it is done again and recorded once', async () => {
  const galleryId = await createGallery(client, { model: 'mine', dimension: 128 });
  await stack.owner.query(
    `CREATE FUNCTION hold_on() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN OLD; END $$;
     CREATE TRIGGER hold_on BEFORE DELETE ON key_set_destruction FOR EACH ROW EXECUTE FUNCTION hold_on()`,
  );
  const holder = await stack.owner.connect();
  await holder.query('SELECT pg_advisory_lock(4711)');
  const asked = client.delete(`/v1/galleries/${galleryId}`).catch(() => undefined);
  await vi.waitFor(async () => expect(await left(galleryId)).toEqual({ galleries: 0, keys: 0, decided: 1 }), {
    timeout: 20_000,
    interval: 20,
  });
  await Promise.all(stack.apis.map((api) => api.stop('SIGKILL')));
  await asked;
  await stack.owner.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE 'DELETE FROM key_set_destruction%'`,
  );
  await holder.query('SELECT pg_advisory_unlock(4711)');
  holder.release();
  await stack.owner.query('DROP TRIGGER hold_on ON key_set_destruction');
  expect(await left(galleryId)).toEqual({ galleries: 0, keys: 0, decided: 1 });
  await destroyedByWorker(galleryId);
});

test('a gallery whose keys cannot be destroyed holds up none that was decided after it', async () => {
  const there = client.at((await stack.startApi()).url);
  const galleries = [await createGallery(there), await createGallery(there)];
  const refuse = (ids: readonly string[]): Promise<unknown> =>
    stack.owner.query(
      `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF OLD.gallery_id IN ('${ids.join("','")}') THEN RAISE 'refused'; END IF; RETURN OLD; END $$`,
    );
  await refuse(galleries);
  await stack.owner.query(
    'CREATE TRIGGER refuse BEFORE DELETE ON custody.key_set FOR EACH ROW EXECUTE FUNCTION refuse()',
  );
  for (const id of galleries) expect((await there.delete(`/v1/galleries/${id}`)).status).toBe(204);
  const [stuck = '', free = ''] = galleries;
  for (const id of galleries) expect(await left(id)).toEqual({ galleries: 0, keys: 1, decided: 1 });
  await refuse([stuck]);
  await destroyedByWorker(free);
  expect(await left(stuck)).toEqual({ galleries: 0, keys: 1, decided: 1 });
  await stack.owner.query('DROP TRIGGER refuse ON custody.key_set');
  await destroyedByWorker(stuck);
});

test('while the custodian is down a gallery ends and a person is erased; it is told as soon as it is back', async () => {
  const port = String(await freePort());
  const custodian = await stack.startCustodian(port);
  const there = client.at((await stack.startApi(stack.custody('velum_app'))).url);
  const worker = await stack.startWorker(stack.custody('velum_worker'));
  const [doomed, lasting] = [await createGallery(there), await createGallery(there)];
  const { subjectId } = await enrolledPerson(there, lasting, face);
  await custodian.stop('SIGKILL');
  expect((await there.delete(`/v1/galleries/${doomed}`)).status).toBe(204);
  expect((await there.get(`/v1/galleries/${doomed}`)).status).toBe(404);
  expect((await there.delete(`/v1/subjects/${subjectId}`)).status).toBe(204);
  expect(await left(doomed)).toEqual({ galleries: 0, keys: 1, decided: 1 });
  const retired = async (): Promise<number | null> =>
    (
      await stack.owner.query(
        'SELECT FROM custody.retired r JOIN custody.segment s ON s.id = r.segment_id WHERE s.gallery_id = $1',
        [lasting],
      )
    ).rowCount;
  expect(await retired()).toBe(0);
  await stack.startCustodian(port);
  await vi.waitFor(
    async () => {
      expect(await left(doomed)).toEqual({ galleries: 0, keys: 0, decided: 0 });
      expect(await retired()).toBe(1);
    },
    { timeout: 30_000, interval: 50 },
  );
  await worker.stop('SIGKILL');
  expect(await recorded(doomed)).toEqual(['gallery.destroyed', 'key_set.destroyed']);
});

async function destroyedByWorker(galleryId: string): Promise<void> {
  const worker = await stack.startWorker();
  await vi.waitFor(async () => expect(await left(galleryId)).toEqual({ galleries: 0, keys: 0, decided: 0 }), {
    timeout: 20_000,
    interval: 50,
  });
  await worker.stop('SIGKILL');
  expect(await recorded(galleryId)).toEqual(['gallery.destroyed', 'key_set.destroyed']);
}
