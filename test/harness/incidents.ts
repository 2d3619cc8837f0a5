import { ok } from './story.js';
import type { Json, TestClient } from './test-client.js';

/** What has to be known before persons are told, whatever the jurisdiction. */
export const ENTRIES = {
  facts: 'A laptop with access was stolen.',
  location: 'Pune',
  consequences: 'None that we know of: templates are sealed.',
  measures: 'Its access was revoked.',
  advice: 'Ask us if you see anything unusual.',
  contact: 'dpo@example.com',
} as const;

const HOUR_MS = 3_600_000;

export function hoursAgo(hours: number): Date {
  return new Date(Date.now() - hours * HOUR_MS);
}

export async function openIncident(officer: TestClient, settings: object = {}): Promise<Json> {
  const body = {
    title: 'A stolen laptop',
    description: 'A laptop with access to the gallery was stolen.',
    kind: 'access',
    severity: 'high',
    occurredFrom: hoursAgo(3),
    knownAt: hoursAgo(1),
    ...settings,
  };
  return ok(await officer.post('/v1/admin/incidents', body));
}

export async function addEntries(officer: TestClient, incidentId: string): Promise<void> {
  for (const [kind, text] of Object.entries(ENTRIES)) {
    ok(await officer.post(`/v1/admin/incidents/${incidentId}/entries`, { kind, text }));
  }
}

/** An incident with a high risk, of which the clients of these subjects were given the notices. */
export async function releasedIncident(
  officer: TestClient,
  subjectIds: readonly string[],
  settings: object = {},
): Promise<string> {
  const { id } = await openIncident(officer, settings);
  const path = `/v1/admin/incidents/${id}`;
  await addEntries(officer, id);
  ok(await officer.post(`${path}/assess`, { breach: true, risk: 'high' }));
  ok(await officer.post(`${path}/affected`, { subjectIds }));
  ok(await officer.post(`${path}/notify`));
  return id;
}
