import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OAUTH_CATALOGUE, PROBLEM_CATALOGUE } from '../../apps/api/problem/problem-catalogue.js';
import { EXAMPLE } from '../../apps/api/openapi/examples.js';
import { everythingSequenced } from '../harness/audit.js';
import { actingOfficer, inviteOfficer, nextCode, totpCode } from '../harness/officers.js';
import { Stack } from '../harness/stack.js';
import { ok } from '../harness/story.js';
import { type Json, TestClient } from '../harness/test-client.js';

let stack: Stack;
let client: TestClient;
let document: Json;

beforeAll(async () => {
  // A worker, which signs checkpoints of the audit log.
  stack = await Stack.start({ worker: true });
  client = await TestClient.create(stack);
  document = await (await fetch(`${stack.url}/openapi.json`)).json();
});

afterAll(() => stack.stop());

/** The body that the explorer offers: examples first, then defaults, then what the types suggest. */
function offered(schema: Json): Json {
  const whole = resolved(schema);
  const given = whole.example ?? whole.default ?? whole.enum?.[0];
  if (given !== undefined) return given;
  if (whole.type === 'array') return [offered(whole.items)];
  if (whole.properties === undefined) return whole.type === 'string' ? 'string' : (whole.minimum ?? 0);
  return Object.fromEntries(
    Object.entries<Json>(whole.properties).map(([name, property]) => [name, offered(property)]),
  );
}

function resolved(schema: Json): Json {
  if (schema.allOf !== undefined) return { ...resolved(schema.allOf[0]), ...schema };
  if (schema.$ref === undefined) return schema;
  return document.components.schemas[schema.$ref.split('/').at(-1)];
}

/** What in `value` the document does not tell: unknown members, missing ones, other types. */
function undocumented(schema: Json, value: Json, at = ''): string[] {
  const { type, properties, items, required = [], nullable } = resolved(schema);
  if (value === null) return nullable === true ? [] : [`${at} is null`];
  if (type === 'array') return value.flatMap((item: Json) => undocumented(items, item, `${at}[]`));
  if (properties === undefined) {
    const expected = type === 'integer' ? 'number' : type;
    return typeof value === expected ? [] : [`${at} is not ${type}`];
  }
  return [
    ...Object.keys(value).flatMap((name) => (name in properties ? [] : [`${at}.${name} is not documented`])),
    ...required.flatMap((name: string) => (name in value ? [] : [`${at}.${name} is missing`])),
    ...Object.entries<Json>(properties).flatMap(([name, property]) =>
      value[name] === undefined ? [] : undocumented(property, value[name], `${at}.${name}`),
    ),
  ];
}

function isOfOfficers(method: string, path: string): boolean {
  return method !== 'get' && document.paths[path][method]['x-problem-codes'].includes('officer_required');
}

describe('the examples of the document', () => {
  const ids: Record<string, string> = {};
  const tried = new Set<string>();
  /** Once there are officers, they decide. */
  let decider: TestClient | undefined;
  const withIds = (text: string): string =>
    Object.entries(ids).reduce((all, [name, id]) => {
      const example = EXAMPLE[name as keyof typeof EXAMPLE];
      return all.replaceAll(example, id).replaceAll(`{${name}}`, id);
    }, text);

  async function tryOut(
    method: 'get' | 'post' | 'put' | 'patch' | 'delete',
    path: string,
    by = isOfOfficers(method, path) ? (decider ?? client) : client,
  ): Promise<Json> {
    const operation = document.paths[path][method];
    tried.add(`${method} ${path}`);
    const media = operation.requestBody?.content['application/json'];
    const example = media?.examples === undefined ? undefined : Object.values<Json>(media.examples)[0].value;
    const body =
      media === undefined ? undefined : JSON.parse(withIds(JSON.stringify(example ?? offered(media.schema))));
    const ndjson = operation.requestBody?.content['application/x-ndjson'];
    const query = (operation.parameters ?? [])
      .filter((each: Json) => each.in === 'query' && each.required === true)
      .map(({ name, schema, example: value }: Json) => `${name}=${value ?? offered(schema)}`);
    // A choice in the path, such as the kind of a report.
    const address = (operation.parameters ?? [])
      .filter((each: Json) => each.in === 'path' && !(each.name in ids))
      .reduce((all: string, { name, schema }: Json) => all.replace(`{${name}}`, offered(schema)), path);
    const answer = await by.send(
      method.toUpperCase(),
      withIds([address, query.join('&')].filter((part) => part !== '').join('?')),
      ndjson === undefined ? body : withIds(Object.values<Json>(ndjson.examples)[0].value),
      ndjson === undefined ? {} : { 'content-type': 'application/x-ndjson' },
    );
    const documented = operation.responses[answer.status];
    expect([method, path, answer.status, documented === undefined ? answer.body : 'documented']).toEqual([
      method,
      path,
      expect.toSatisfy((status: number) => status < 300),
      'documented',
    ]);
    const schema = documented.content?.['application/json']?.schema;
    expect([method, path, schema === undefined ? [] : undocumented(schema, answer.body)]).toEqual([
      method,
      path,
      [],
    ]);
    return answer.body;
  }

  async function openCase(kind: string): Promise<void> {
    const body = { subjectId: ids['subjectId'], kind, channel: 'app' };
    ids['caseId'] = ok(await client.post('/v1/rights-requests', body)).id;
  }

  test('work as they stand, one call after the other, and every answer is as documented', async () => {
    ids['galleryId'] = (await tryOut('post', '/v1/galleries')).id;
    ids['subjectId'] = (await tryOut('post', '/v1/subjects')).id;
    ids['noticeId'] = (await tryOut('post', '/v1/notices')).id;
    ids['consentId'] = (await tryOut('post', '/v1/consents')).id;
    ids['templateId'] = (await tryOut('post', '/v1/galleries/{galleryId}/subjects/{subjectId}/templates')).id;
    const verified = await tryOut('post', '/v1/galleries/{galleryId}/subjects/{subjectId}/verify');
    expect(verified.match).toBe(true);
    const identified = await tryOut('post', '/v1/galleries/{galleryId}/identify');
    expect(identified.candidates).toEqual([{ subjectId: ids['subjectId'], templateId: ids['templateId'] }]);
    // It enrols the same person once more, whenever a worker comes to it.
    ids['jobId'] = (await tryOut('post', '/v1/galleries/{galleryId}/jobs')).id;
    ids['webhookId'] = (await tryOut('post', '/v1/webhooks')).id;
    ids['deliveryId'] = (await tryOut('post', '/v1/webhooks/{webhookId}/test')).id;
    ids['caseId'] = (await tryOut('post', '/v1/rights-requests')).id;
    await tryOut('put', '/v1/subjects/{subjectId}/nominee');
    ids['holdId'] = (await tryOut('post', '/v1/admin/holds')).id;
    const [officer, token] = await tryOutLogin();
    const proposer = new TestClient(stack.url, token);
    // Without admin:keys: the client destroys its gallery alone, below.
    const other = (await actingOfficer(stack, 'admin:compliance')).client;
    decider = other;
    for (const [decision, by] of [
      ['approve', other],
      ['reject', other],
      ['withdraw', proposer],
    ] as const) {
      ids['proposalId'] = (await tryOut('post', '/v1/admin/proposals', proposer)).id;
      await tryOut('post', `/v1/admin/proposals/{proposalId}/${decision}`, by);
    }
    expect(officer).toBe((await tryOut('get', '/v1/admin/proposals/{proposalId}')).proposedBy);
    await tryOut('delete', '/v1/officers/sessions', proposer);
    ids['incidentId'] = (await tryOut('post', '/v1/admin/incidents')).id;
    await tryOut('post', '/v1/admin/incidents/{incidentId}/entries');
    for (const kind of ['facts', 'measures', 'contact'])
      await other.post(`/v1/admin/incidents/${ids['incidentId']}/entries`, { kind, text: 'Known by now' });
    await tryOut('post', '/v1/admin/incidents/{incidentId}/assess');
    const { duties, affected } = await tryOut('post', '/v1/admin/incidents/{incidentId}/affected');
    ids['affectedId'] = affected[0].id;
    await tryOut('post', '/v1/admin/incidents/{incidentId}/affected/{affectedId}/rerun');
    await tryOut('post', '/v1/admin/incidents/{incidentId}/contain');
    await tryOut('post', '/v1/admin/incidents/{incidentId}/notify');
    await tryOut('post', '/v1/incidents/{incidentId}/delivered');
    for (const { id } of duties) {
      ids['dutyId'] = id;
      await tryOut('post', '/v1/admin/incidents/{incidentId}/duties/{dutyId}/notified');
    }
    await tryOut('post', '/v1/admin/incidents/{incidentId}/close');
    ids['rotationId'] = (await tryOut('post', '/v1/admin/galleries/{galleryId}/key-rotations')).id;
    await everythingSequenced(stack);
    // It would carry out the withdrawal below before the example does.
    await stack.worker?.stop();
    ids['eventId'] = (await tryOut('get', '/v1/admin/audit-events')).items.at(-1).id;
    // Events go on until the job is over.
    await tryOut('post', '/v1/jobs/{jobId}/cancel');
    for (const path of Object.keys(document.paths).filter((each) => each.startsWith('/v1/'))) {
      // Of an erasure alone: below.
      if (path.endsWith('/proof')) continue;
      if (document.paths[path].get !== undefined) await tryOut('get', path);
    }
    for (const step of ['check-identity', 'take-up', 'extend', 'fulfil']) {
      await tryOut('post', `/v1/admin/cases/{caseId}/${step}`);
    }
    await openCase('restriction');
    ok(await other.post(`/v1/admin/cases/${ids['caseId']}/fulfil`, {}));
    await tryOut('post', '/v1/admin/cases/{caseId}/lift');
    await openCase('portability');
    await tryOut('post', '/v1/admin/cases/{caseId}/refuse');
    await openCase('grievance');
    await tryOut('post', '/v1/rights-requests/{caseId}/withdraw');
    await openCase('correction');
    await tryOut('patch', '/v1/subjects/{subjectId}');
    await tryOut('delete', '/v1/subjects/{subjectId}/nominee');
    await tryOut('post', '/v1/consent-refusals');
    await tryOut('post', '/v1/consents/{consentId}/renew');
    await tryOut('delete', '/v1/admin/holds/{holdId}');
    await tryOut('put', '/v1/admin/records/facts');
    await tryOut('post', '/v1/admin/records/assessments');
    await tryOut('post', '/v1/consents/{consentId}/withdraw');
    await tryOut('delete', '/v1/galleries/{galleryId}/subjects/{subjectId}/templates/{templateId}');
    await openCase('erasure');
    await tryOut('delete', '/v1/subjects/{subjectId}');
    await tryOut('get', '/v1/rights-requests/{caseId}/proof');
    await tryOut('delete', '/v1/galleries/{galleryId}');
    await tryOut('delete', '/v1/webhooks/{webhookId}');
  });

  /** What an operator and an officer do, with the body of each example; answers the officer and an access token. */
  async function tryOutLogin(): Promise<[string, string]> {
    const { officerId, enrolmentCode } = await inviteOfficer(stack, undefined, EXAMPLE.email);
    ids['enrolmentCode'] = enrolmentCode;
    const { totpSecret } = await tryOut('post', '/v1/officers/enrolment');
    ids['totp'] = totpCode(totpSecret);
    await tryOut('post', '/v1/officers/enrolment/confirmation');
    await nextCode(stack, { id: officerId });
    ids['sessionToken'] = (await tryOut('post', '/v1/officers/sessions')).sessionToken;
    const { accessToken } = await tryOut('post', '/v1/officers/sessions/renewal');
    return [officerId, accessToken];
  }

  test('leave no operation under /v1 untried', () => {
    const all = Object.entries<Json>(document.paths).filter(([path]) => path.startsWith('/v1/'));
    const operations = all.flatMap(([path, methods]) =>
      Object.keys(methods).map((each) => `${each} ${path}`),
    );
    expect(operations.length).toBeGreaterThan(100);
    expect(operations.filter((each) => !tried.has(each))).toEqual([]);
  });
});

describe('a problem code', () => {
  const codes = PROBLEM_CATALOGUE.map(({ problem }) => problem.code);

  test('is in the catalogue once', () => {
    expect(codes.length).toBe(new Set(codes).size);
  });

  test('is documented for the calls that answer it', () => {
    const operations = Object.values<Json>(document.paths).flatMap((methods) => Object.values<Json>(methods));
    const documented = new Set(operations.flatMap((operation) => operation['x-problem-codes'] ?? []));
    expect([...documented].filter((code) => !codes.includes(String(code)))).toEqual([]);
    // An address that does not exist has no operation; only the command line looks clients and officers up.
    const elsewhere = ['route_not_found', 'client_not_found', 'officer_not_found', 'officer_email_taken'];
    expect(codes.filter((code) => !documented.has(code) && !elsewhere.includes(code))).toEqual([]);
  });

  test('leads by its type to a page that says the same', async () => {
    for (const { problem } of PROBLEM_CATALOGUE) {
      expect(ok(await client.get(`/problems/${problem.code}`))).toEqual({ ...problem });
    }
  });

  test('has its line in docs/problems.md', () => {
    const lines = readFileSync('docs/problems.md', 'utf8').split('\n');
    const table = lines.filter((line) => line.startsWith('| `')).map((line) => line.replaceAll(/ +/g, ' '));
    const wanted = [...PROBLEM_CATALOGUE, ...OAUTH_CATALOGUE].map(
      ({ problem: { code, status, title, detail } }) => `| \`${code}\` | ${status} | ${title} | ${detail} |`,
    );
    expect(table.toSorted()).toEqual(wanted.toSorted());
  });
});
