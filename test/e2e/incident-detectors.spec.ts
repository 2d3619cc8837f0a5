import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppProcess } from '../../infra/dev/app-process.js';
import { everythingSequenced } from '../harness/audit.js';
import { hoursAgo, openIncident } from '../harness/incidents.js';
import { Metrics } from '../harness/metrics.js';
import { Stack } from '../harness/stack.js';
import { createGallery, embedding, enrolledPerson, ok, verify } from '../harness/story.js';
import { createCredentials, type Json, TestClient } from '../harness/test-client.js';

const WAIT = { timeout: 60_000, interval: 100 };

let stack: Stack;
let second: AppProcess;
let officer: TestClient;
let client: TestClient;
let clientId: string;
let gallery: string;

beforeAll(async () => {
  stack = await Stack.start({
    env: { DETECT_SECONDS: '1', DETECT_REFUSALS: '20', DETECT_MATCHES: '20', DETECT_MATCH_FACTOR: '3' },
  });
  const admin = createCredentials(stack, 'admin:compliance admin:audit');
  officer = await TestClient.connect(stack.url, admin);
  const credentials = createCredentials(stack);
  ({ clientId } = credentials);
  client = await TestClient.connect(stack.url, credentials);
  gallery = await createGallery(client);
  await stack.startWorker();
  // Another beside it, which must not open everything twice.
  second = await AppProcess.start('worker', stack.env);
});

afterAll(async () => {
  await second.stop('SIGKILL');
  await stack.stop();
});

async function detected(detector: string): Promise<Json[]> {
  const { items } = ok(await officer.get('/v1/admin/incidents?limit=200'));
  return items.filter((incident: Json) => incident.detector === detector);
}

async function causes(detector: string): Promise<string[]> {
  const found: string[] = (await detected(detector)).map(({ cause }) => cause);
  return found.toSorted();
}

async function loggedTypes(incidentId: string): Promise<string[]> {
  const { items } = ok(await officer.get('/v1/admin/audit-events?limit=200'));
  return items
    .filter(({ details }: Json) => details.incidentId === incidentId)
    .map(({ type, details }: Json) => `${type} ${details.duty ?? ''}`.trim())
    .toSorted();
}

test('whoever is refused again and again is an incident, one for the client and one for the address', async () => {
  const { subjectId } = await enrolledPerson(client, gallery, embedding(1));
  const stranger = ok(await client.post('/v1/subjects', {})).id;
  ok(await verify(client, gallery, subjectId, embedding(1)));
  for (let i = 0; i < 25; i++) {
    expect((await verify(client, gallery, stranger, embedding(1))).status).toBeGreaterThan(399);
  }
  await expect.poll(() => causes('repeated_refusals'), WAIT).toHaveLength(2);
  expect(await causes('repeated_refusals')).toEqual([
    expect.stringMatching(/^address [0-9a-f]+$/),
    `client ${clientId}`,
  ]);
  const [{ id }] = await detected('repeated_refusals');
  const incident = ok(await officer.get(`/v1/admin/incidents/${id}`));
  expect(incident).toMatchObject({ state: 'open', kind: 'suspicion', breach: null, duties: [] });
  expect(incident.description).toMatch(/^2\d since 20/);
  // The detector alarms whoever watches the security stream.
  const alarms = [...(stack.worker?.log ?? []), ...second.log].filter(
    (line) => line.includes('"security"') && line.includes('repeated_refusals'),
  );
  expect(alarms).toHaveLength(2);
  const metrics = await Metrics.of(stack.worker?.internalUrl);
  expect(metrics.value('velum_incidents_open')).toBeGreaterThan(0);
});

test('more comparisons than a client ever has in an hour are one, and so they are for the gallery', async () => {
  const { subjectId } = await enrolledPerson(client, gallery, embedding(2));
  await stack.owner.query(
    `INSERT INTO match_hour SELECT date_trunc('hour', now()) - n * interval '1 day', $1, $2, 5 FROM generate_series(1, 5) AS n`,
    [clientId, gallery],
  );
  for (let i = 0; i < 25; i++) ok(await verify(client, gallery, subjectId, embedding(2)));
  await expect.poll(() => causes('unusual_rate'), WAIT).toEqual([`client ${clientId}`, `gallery ${gallery}`]);
});

test('a false alarm that was closed is not raised again on the same day', async () => {
  for (const { id } of await detected('repeated_refusals')) {
    ok(await officer.post(`/v1/admin/incidents/${id}/close`, { as: 'false_alarm' }));
  }
  // What was raised after it shows that the detectors have looked again.
  await stack.owner.query(
    `INSERT INTO audit_event (id, type, outcome)
     SELECT (left(first_audit_id(now())::text, 14) || '7' || right(gen_random_uuid()::text, 21))::uuid,
            'template.binding_broken', 'refused' FROM generate_series(1, 3)`,
  );
  await expect.poll(() => causes('binding_broken'), WAIT).toEqual(['templates']);
  expect(await detected('repeated_refusals')).toHaveLength(2);
});

test('a break that is recorded while an incident about others is opened is counted by the next, and no other is', async () => {
  const [{ id }] = await detected('binding_broken');
  ok(await officer.post(`/v1/admin/incidents/${id}/close`, { as: 'false_alarm' }));
  await stack.owner.query('UPDATE incident SET found_on = found_on - 1 WHERE id = $1', [id]);
  // Begun before the count, and committed after it.
  await stack.owner.query(
    `INSERT INTO audit_event (id, type, outcome)
     SELECT (left(first_audit_id(known_at - interval '1 second')::text, 14) || '7' || right(gen_random_uuid()::text, 21))::uuid,
            'template.binding_broken', 'refused' FROM incident WHERE id = $1`,
    [id],
  );
  await expect.poll(() => causes('binding_broken'), WAIT).toEqual(['templates', 'templates']);
  const next = (await detected('binding_broken')).find((incident) => incident.id !== id);
  expect(ok(await officer.get(`/v1/admin/incidents/${next?.id}`)).description).toMatch(/^1 since 20/);
});

test('a duty says once that it is due within a day, and once that it is overdue', async () => {
  const { id } = await openIncident(officer, {
    knownAt: hoursAgo(60),
    occurredFrom: hoursAgo(61),
    jurisdictions: ['EU-GDPR'],
  });
  await expect
    .poll(() => loggedTypes(id), WAIT)
    .toEqual([
      'incident.duty_due authority_detailed',
      'incident.duty_due authority_first',
      'incident.duty_overdue persons',
      'incident.opened',
    ]);
  await stack.owner.query(
    `UPDATE incident_duty SET due_at = now() - interval '1 minute' WHERE incident_id = $1 AND duty = 'authority_first'`,
    [id],
  );
  await expect
    .poll(() => loggedTypes(id), WAIT)
    .toEqual([
      'incident.duty_due authority_detailed',
      'incident.duty_due authority_first',
      'incident.duty_overdue authority_first',
      'incident.duty_overdue persons',
      'incident.opened',
    ]);
  await expect
    .poll(
      async () => (await Metrics.of(stack.worker?.internalUrl)).value('velum_incident_duties_overdue'),
      WAIT,
    )
    .toBe(2);
});

test('an audit log that somebody changed is an incident, even if nobody writes to it', async () => {
  await everythingSequenced(stack);
  expect(await detected('audit_check_failed')).toEqual([]);
  // Leaves that were exchanged: the edge of the tree still is what was signed.
  await stack.owner.query(
    `BEGIN; SET LOCAL session_replication_role = replica;
     UPDATE audit_leaf SET commitment = '\\x01' || sha256(commitment); COMMIT`,
  );
  await expect.poll(() => causes('audit_check_failed'), WAIT).toEqual(['audit log']);
  const [{ description, severity }] = await detected('audit_check_failed');
  expect([severity, description]).toEqual([
    'critical',
    expect.stringContaining('a leaf is not in the signed tree'),
  ]);
});
