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
const ASKING_AT_ONCE = 8;

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
  let asked = 0;
  const end = new AbortController();

  async function ask(lane: number): Promise<void> {
    for (let i = lane; !end.signal.aborted; i += ASKING_AT_ONCE) {
      const who = i % PEOPLE;
      const { subjectId } = people[who] ?? { subjectId: '' };
      const client = clients[i % clients.length];
      if (client === undefined) return;
      const before = withdrawn.has(subjectId);
      const one = await verify(client, gallery, subjectId, embedding(who + 1));
      const later = withdrawn.has(subjectId);
      const { candidates } = ok(await identify(client, gallery, embedding(who + 1)));
      asked += 2;
      if (one.body.match === true || candidates.length > 0) matches++;
      if (before && one.status !== 403) wrong.push(`1:1 answered ${one.status} after the withdrawal`);
      if (later && candidates.length > 0) wrong.push('1:N named somebody after the withdrawal');
    }
  }

  const asking = Array.from({ length: ASKING_AT_ONCE }, (_, lane) => ask(lane));
  for (const [i, { subjectId, consentId }] of people.entries()) {
    // Every lane has asked again before the next withdrawal: the load never pauses.
    const soFar = asked;
    await expect.poll(() => asked, { timeout: 30_000, interval: 5 }).toBeGreaterThan(soFar + ASKING_AT_ONCE);
    const client = clients[i % clients.length];
    if (client === undefined) break;
    ok(await client.post(`/v1/consents/${consentId}/withdraw`));
    withdrawn.add(subjectId);
  }
  const soFar = asked;
  await expect
    .poll(() => asked, { timeout: 30_000, interval: 5 })
    .toBeGreaterThan(soFar + 4 * ASKING_AT_ONCE);
  end.abort();
  await Promise.all(asking);
  expect(wrong).toEqual([]);
  expect(withdrawn.size).toBe(PEOPLE);
  expect(matches).toBeGreaterThan(PEOPLE);
});
