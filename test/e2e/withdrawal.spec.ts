import { setTimeout } from 'node:timers/promises';
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
/** A request to each of two processes: 200 a second, whether the earlier ones were answered or not. */
const EVERY_MS = 10;
/** Between two withdrawals; a hundred requests. */
const PAUSE_MS = 500;

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

test('under 200 requests a second on two processes, nobody is matched by a call that began after the withdrawal was answered', async () => {
  const withdrawn = new Set<string>();
  const wrong: string[] = [];
  const answered: Promise<void>[] = [];
  let matches = 0;
  let refusals = 0;

  async function ask(i: number, client: TestClient): Promise<void> {
    const who = i % PEOPLE;
    const { subjectId } = people[who] ?? { subjectId: '' };
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

  let asked = 0;
  const load = setInterval(() => {
    for (const client of clients) answered.push(ask(asked, client));
    asked++;
  }, EVERY_MS);
  try {
    for (const [i, { subjectId, consentId }] of people.entries()) {
      await setTimeout(PAUSE_MS);
      const client = clients[i % clients.length];
      if (client === undefined) break;
      ok(await client.post(`/v1/consents/${consentId}/withdraw`));
      withdrawn.add(subjectId);
    }
    await setTimeout(2 * PAUSE_MS);
  } finally {
    clearInterval(load);
  }
  await Promise.all(answered);
  expect(wrong).toEqual([]);
  expect(withdrawn.size).toBe(PEOPLE);
  expect(matches).toBeGreaterThan(PEOPLE);
  expect(refusals).toBeGreaterThan(PEOPLE);
}, 120_000);
