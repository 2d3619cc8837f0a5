import { ok } from './story.js';
import type { Json, TestClient } from './test-client.js';

/** A request of a data principal, as the client app opens it. */
export async function openCase(
  client: TestClient,
  subjectId: string,
  kind: string,
  more: object = {},
): Promise<Json> {
  return ok(await client.post('/v1/rights-requests', { subjectId, kind, channel: 'app', ...more }));
}

export async function takeStep(
  officer: TestClient,
  caseId: string,
  step: string,
  body: object = {},
): Promise<Json> {
  return ok(await officer.post(`/v1/admin/cases/${caseId}/${step}`, body));
}
