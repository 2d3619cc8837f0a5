import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endedJob, endOf, linesOf, results, startJob } from '../harness/jobs.js';
import { Stack } from '../harness/stack.js';
import { consentingPeople, createGallery, embedding, ok } from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const PEOPLE = 20;

let stack: Stack;
let client: TestClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = await TestClient.create(stack);
});

afterAll(() => stack.stop());

async function enrolment(): Promise<{ gallery: string; subjects: string[]; input: string }> {
  const gallery = await createGallery(client);
  const subjects = (await consentingPeople(client, PEOPLE)).map(({ subjectId }) => subjectId);
  const input = linesOf(subjects.map((subjectId, i) => ({ subjectId, embedding: embedding(i) })));
  return { gallery, subjects, input };
}

const others = (bad: number): string[] =>
  Array.from({ length: PEOPLE }, (_, i) => (i === bad ? 'internal_error' : 'done'));

test('an item that fails for a reason of its own is tried three times and fails alone', async () => {
  const { gallery, subjects, input } = await enrolment();
  await stack.owner.query(
    `CREATE SEQUENCE failures;
     GRANT USAGE ON SEQUENCE failures TO velum_app, velum_worker;
     CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM nextval('failures'); RAISE 'broken'; END $$;
     CREATE TRIGGER fail BEFORE INSERT ON template FOR EACH ROW WHEN (NEW.subject_id = '${subjects[7]}')
       EXECUTE FUNCTION fail();`,
  );
  await stack.startWorker();
  const { job, outcomes } = await endOf(client, await startJob(client, gallery, 'enrol', input));
  await stack.owner.query('DROP TRIGGER fail ON template');
  expect(outcomes).toEqual(others(7));
  expect(job).toMatchObject({ state: 'ended', done: PEOPLE - 1, failed: 1 });
  // With the others of its chunk, and then alone.
  const { rows } = await stack.owner.query('SELECT last_value::int AS tries FROM failures');
  expect(rows[0].tries).toBe(1 + 3);
  expect(stack.log).toContain('an item failed');
});

test('an item that kills whatever works on it is given up, and the others of its chunk are done', async () => {
  await stack.worker?.stop();
  const { gallery, subjects, input } = await enrolment();
  const { id } = ok(await startJob(client, gallery, 'enrol', input));
  await stack.startWorker();
  await endedJob(client, id);
  await stack.worker?.stop();
  // Once more, as workers find it that follow twenty-four which died; each that comes to its third item dies too.
  const again = ok(await startJob(client, gallery, 'enrol', `${input}\n`));
  await stack.owner.query(
    `CREATE FUNCTION died() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN NEW.attempts := 24; RETURN NEW; END $$;
     CREATE TRIGGER died BEFORE INSERT ON job_item FOR EACH ROW EXECUTE FUNCTION died();
     CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
     CREATE TRIGGER hang BEFORE INSERT ON template FOR EACH ROW WHEN (NEW.subject_id = '${subjects[2]}')
       EXECUTE FUNCTION hang();`,
  );
  let deaths = 0;
  for (; await hangs(again.id); deaths++) {
    stack.worker?.kill('SIGKILL');
    await stack.worker?.stop();
    await endHanging();
  }
  await stack.owner.query('DROP TRIGGER died ON job_item; DROP TRIGGER hang ON template');
  expect(deaths).toBe(2);
  expect(await endedJob(client, again.id)).toMatchObject({ state: 'ended', done: PEOPLE - 1, failed: 1 });
  const lines = await results(client, again.id);
  expect(lines[2]).toMatchObject({ item: 3, outcome: 'failed', code: 'gave_up' });
}, 150_000);

test('an input at which whatever reads it fails is given up, and its job ends', async () => {
  const { gallery, input } = await enrolment();
  await stack.owner.query(
    `ALTER TABLE job ALTER input_starts SET DEFAULT 23;
     CREATE TRIGGER broken BEFORE INSERT ON job_item FOR EACH ROW EXECUTE FUNCTION fail();`,
  );
  const { id } = ok(await startJob(client, gallery, 'enrol', input));
  const job = await endedJob(client, id);
  await stack.owner.query(
    'DROP TRIGGER broken ON job_item; ALTER TABLE job ALTER input_starts SET DEFAULT 0',
  );
  expect(job).toMatchObject({ state: 'failed', code: 'input_unreadable', total: null });
  expect(stack.log).toContain('an input was not read');
});

const HANGING = `FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`;

/** Starts a worker: whether it comes to where it hangs before the job is over. */
async function hangs(jobId: string): Promise<boolean> {
  await stack.startWorker();
  for (;;) {
    const { rows } = await stack.owner.query(
      `SELECT (SELECT count(*)::int ${HANGING}) AS hanging, ended_at FROM job WHERE id = $1`,
      [jobId],
    );
    if (rows[0].hanging > 0) return true;
    if (rows[0].ended_at !== null) return false;
    await setTimeout(20);
  }
}

/** PostgreSQL notices that its client is gone only when it has something to say. */
async function endHanging(): Promise<void> {
  await stack.owner.query(`SELECT pg_terminate_backend(pid) ${HANGING}`);
  await expect.poll(async () => (await stack.owner.query(`SELECT 1 ${HANGING}`)).rows.length).toBe(0);
}
