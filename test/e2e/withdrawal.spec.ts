import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import {
  createGallery,
  embedding,
  enrolledPerson,
  identify,
  ok,
  type Person,
  verify,
} from '../harness/story.js';
import { TestClient } from '../harness/test-client.js';

const PEOPLE = 30;
/** Calls in flight at each of the two processes, whatever the machine's speed. */
const IN_FLIGHT = 8;
/** Answers from one withdrawal to the next. */
const BETWEEN_WITHDRAWALS = 100;
const QUESTIONS = (PEOPLE + 3) * BETWEEN_WITHDRAWALS;

let stack: Stack;
let clients: TestClient[];
let gallery: string;
const people: Person[] = [];

beforeAll(async () => {
  stack = await Stack.start({ apis: 2, worker: true });
  const client = await TestClient.create(stack);
  clients = stack.apis.map(({ url }) => client.at(url));
  gallery = await createGallery(client);
  for (let i = 0; i < PEOPLE; i++) people.push(await enrolledPerson(client, gallery, embedding(i + 1)));
});

afterAll(() => stack.stop());

test('under load on two processes, nobody is matched by a call that began after the withdrawal was answered', async () => {
  const withdrawn = new Set<string>();
  const wrong: string[] = [];
  let matches = 0;
  let refusals = 0;
  let asked = 0;
  let answered = 0;

  async function ask(i: number, client: TestClient): Promise<void> {
    const who = i % PEOPLE;
    const { subjectId } = person(who);
    const before = withdrawn.has(subjectId);
    if (Math.floor(i / PEOPLE) % 2 === 0) {
      const one = await verify(client, gallery, subjectId, embedding(who + 1));
      if (one.body.match === true) matches++;
      if (one.status === 403) refusals++;
      if (before && one.status !== 403) wrong.push(`1:1 answered ${one.status} after the withdrawal`);
    } else {
      const { candidates } = ok(await identify(client, gallery, embedding(who + 1)));
      if (candidates.length > 0) matches++;
      if (before && candidates.length > 0) wrong.push('1:N named somebody after the withdrawal');
    }
  }

  /** Asks the next question as soon as the one before is answered; whose answer is due withdraws the next consent. */
  async function load(client: TestClient): Promise<void> {
    while (asked < QUESTIONS) {
      await ask(asked++, client);
      const due = ++answered / BETWEEN_WITHDRAWALS - 1;
      if (Number.isInteger(due) && due < PEOPLE) {
        const { subjectId, consentId } = person(due);
        ok(await client.post(`/v1/consents/${consentId}/withdraw`));
        withdrawn.add(subjectId);
      }
    }
  }

  const loads = await Promise.allSettled(
    Array.from({ length: IN_FLIGHT }, () => clients.map((client) => load(client))).flat(),
  );
  expect(loads.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect(wrong).toEqual([]);
  expect(withdrawn.size).toBe(PEOPLE);
  expect(matches).toBeGreaterThan(PEOPLE);
  expect(refusals).toBeGreaterThan(PEOPLE);
}, 240_000);

function person(i: number): Person {
  const found = people[i];
  if (found === undefined) throw new Error(`there is no person ${i}`);
  return found;
}
