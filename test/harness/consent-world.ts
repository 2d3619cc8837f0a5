import { randomUUID } from 'node:crypto';
import { EVIDENCE, NOTICE } from './agreement.js';
import { type Call, ConsentHistory, type Kind } from './consent-history.js';
import { createGallery, embedding, ok, PURPOSE } from './story.js';
import type { TestClient } from './test-client.js';

export const PEOPLE = 4;
/** Of a consent that runs out while the calls go on. */
const SHORT_MS = 300;

/** What an actor does next, about one of its client's people. */
export interface Step {
  readonly kind: Kind;
  readonly who: number;
  readonly short: boolean;
}

/** A client app with a gallery and its people, at all replicas at once. */
export class ConsentWorld {
  private readonly subjects: string[] = [];
  private constructor(
    private readonly clients: readonly TestClient[],
    private readonly gallery: string,
    private readonly noticeId: string,
    private readonly seed: number,
    readonly history: ConsentHistory,
  ) {}

  static async create(clients: readonly TestClient[], seed: number): Promise<ConsentWorld> {
    const [client] = clients;
    if (client === undefined) throw new Error('a world needs a client');
    const gallery = await createGallery(client);
    const noticeId = ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE })).id;
    const world = new ConsentWorld(clients, gallery, noticeId, seed, new ConsentHistory());
    for (let who = 0; who < PEOPLE; who++) {
      await world.run(
        0,
        (['arrive', 'grant', 'enrol'] as const).map((kind) => ({ kind, who, short: false })),
      );
    }
    return world;
  }

  /** The same people before other replicas. */
  at(urls: readonly string[]): ConsentWorld {
    const [client] = this.clients;
    if (client === undefined) throw new Error('a world needs a client');
    const clients = urls.map((url) => client.at(url));
    const world = new ConsentWorld(clients, this.gallery, this.noticeId, this.seed, this.history);
    world.subjects.push(...this.subjects);
    return world;
  }

  /** One after the other, through one replica. */
  async run(replica: number, steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.take(replica, step);
  }

  private async take(replica: number, { kind, who, short }: Step): Promise<void> {
    const subjectId = this.subjects[who] ?? '';
    const face = embedding(this.seed * 100 + who);
    const at = `/v1/galleries/${this.gallery}`;
    const of = `${at}/subjects/${subjectId}`;
    if (kind === 'arrive') {
      // A newcomer takes the place of who was erased.
      if (subjectId !== '' && this.history.done('eraseSubject', subjectId).length === 0) return;
      // Of every other one the law has data held for a year after the end.
      const jurisdiction = who % 2 === 0 ? 'EU-GDPR' : 'IN-DPDP';
      const known = { kind, subjectId: '' };
      const { body } = await this.call(replica, known, 'POST', '/v1/subjects', { jurisdiction });
      this.subjects[who] = body.id;
    } else if (kind === 'grant') {
      const { body, known } = this.agreement(short);
      const consent = { subjectId, purpose: PURPOSE, ...body };
      await this.call(replica, { kind, subjectId, ...known }, 'POST', '/v1/consents', consent);
    } else if (kind === 'renew') {
      const consentId = this.history.done('grant', subjectId).at(-1)?.body.id;
      if (consentId === undefined) return;
      const { body, known } = this.agreement(short);
      const renewal = { kind, subjectId, consentId, ...known };
      await this.call(replica, renewal, 'POST', `/v1/consents/${consentId}/renew`, body);
    } else if (kind === 'withdraw') {
      const consentId = this.history.done('grant', subjectId).at(-1)?.body.id;
      if (consentId === undefined) return;
      await this.call(replica, { kind, subjectId, consentId }, 'POST', `/v1/consents/${consentId}/withdraw`);
    } else if (kind === 'enrol') {
      await this.call(replica, { kind, subjectId }, 'POST', `${of}/templates`, { embedding: face });
    } else if (kind === 'verify') {
      await this.call(replica, { kind, subjectId }, 'POST', `${of}/verify`, { embedding: face });
    } else if (kind === 'identify') {
      await this.call(replica, { kind, subjectId }, 'POST', `${at}/identify`, { embedding: face, topK: 5 });
    } else if (kind === 'eraseTemplate') {
      const templateId = this.history.done('enrol', subjectId).at(-1)?.body.id;
      if (templateId === undefined) return;
      const path = `${of}/templates/${templateId}`;
      await this.call(replica, { kind, subjectId, templateId }, 'DELETE', path);
    } else if (kind === 'restrict') {
      const request = { subjectId, kind: 'restriction', channel: 'app' };
      await this.call(replica, { kind, subjectId }, 'POST', '/v1/rights-requests', request);
    } else if (kind === 'lift') {
      const caseId = this.history.restriction(subjectId)?.body.id;
      if (caseId === undefined) return;
      const path = `/v1/rights-requests/${caseId}/withdraw`;
      await this.call(replica, { kind, subjectId, caseId }, 'POST', path);
    } else await this.call(replica, { kind, subjectId }, 'DELETE', `/v1/subjects/${subjectId}`);
  }

  /** As a request has it, and as it is remembered. */
  private agreement(short: boolean): { body: object; known: Pick<Call, 'expiresAt'> } {
    const given = { noticeId: this.noticeId, evidence: EVIDENCE };
    if (!short) return { body: given, known: {} };
    const expiresAt = Date.now() + SHORT_MS;
    return { body: { ...given, expiresAt: new Date(expiresAt).toISOString() }, known: { expiresAt } };
  }

  private async call(
    replica: number,
    known: Pick<Call, 'kind' | 'subjectId' | 'consentId' | 'templateId' | 'caseId' | 'expiresAt'>,
    method: string,
    path: string,
    body?: object,
  ): Promise<Call> {
    const requestId = randomUUID();
    const client = this.clients[replica % this.clients.length];
    if (client === undefined) throw new Error('a world needs a client');
    const begun = Date.now();
    const answer = await client.send(method, path, body, { 'x-request-id': requestId });
    const { status, body: told } = answer;
    // Who arrives is known by the answer.
    const subjectId = known.kind === 'arrive' ? told.id : known.subjectId;
    const call = { ...known, subjectId, requestId, begun, ended: Date.now(), status, body: told };
    this.history.calls.push(call);
    return call;
  }
}
