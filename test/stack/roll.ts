import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import type { StackClient } from './client.js';

const DIMENSION = 128;

interface WithId {
  readonly id: string;
}

export interface Person {
  readonly subject: string;
  readonly consent: string;
  readonly face: readonly number[];
}

/** A gallery and who is in it, over HTTPS. */
export class Roll {
  private constructor(
    private readonly client: StackClient,
    readonly gallery: string,
    private readonly notice: string,
  ) {}

  static async begin(client: StackClient): Promise<Roll> {
    const gallery = await client.json<WithId>('POST', '/v1/galleries', {
      name: `Roll ${Date.now()}`,
      purpose: 'access_control',
      model: 'stack-test',
      dimension: DIMENSION,
      threshold: { cosine: 0.9 },
    });
    const notice = await client.json<WithId>('POST', '/v1/notices', { purpose: 'access_control', ...NOTICE });
    return new Roll(client, gallery.id, notice.id);
  }

  async enrol(face: readonly number[]): Promise<Person> {
    const { id: subject } = await this.client.json<WithId>('POST', '/v1/subjects', {});
    const { id: consent } = await this.client.json<WithId>('POST', '/v1/consents', {
      subjectId: subject,
      purpose: 'access_control',
      noticeId: this.notice,
      evidence: EVIDENCE,
    });
    await this.client.json('POST', `/v1/galleries/${this.gallery}/subjects/${subject}/templates`, {
      embedding: face,
    });
    return { subject, consent, face };
  }

  async erase({ subject }: Person): Promise<void> {
    await this.client.json('DELETE', `/v1/subjects/${subject}`);
  }

  async withdraw({ consent }: Person): Promise<void> {
    await this.client.json('POST', `/v1/consents/${consent}/withdraw`);
  }

  /** Whether the face is accepted as that person's; a refusal is a no. */
  async knows({ subject, face }: Person): Promise<boolean> {
    const path = `/v1/galleries/${this.gallery}/subjects/${subject}/verify`;
    const { status, body } = await this.client.send('POST', path, JSON.stringify({ embedding: face }));
    if (status >= 500 || status === 401) throw new Error(`${status} ${body}`);
    return body.includes('"match":true');
  }

  async serves(): Promise<boolean> {
    return (await this.client.send('GET', '/v1/models')).status === 200;
  }

  async find(face: readonly number[]): Promise<string[]> {
    const { candidates } = await this.client.json<{ candidates: { subjectId: string }[] }>(
      'POST',
      `/v1/galleries/${this.gallery}/identify`,
      { embedding: face },
    );
    return candidates.map(({ subjectId }) => subjectId);
  }

  /** A bulk job of one search, whose input waits until a worker is there. */
  async upload(face: readonly number[]): Promise<void> {
    const line = JSON.stringify({ embedding: face });
    const path = `/v1/galleries/${this.gallery}/jobs?type=identify`;
    const { status, body } = await this.client.send('POST', path, line, {
      'content-type': 'application/x-ndjson',
    });
    if (status >= 300) throw new Error(`${status} ${body}`);
  }

  /** Ids of all there are about that person. */
  async auditRecords({ subject }: Person, type?: string): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor = ''; ;) {
      const query = new URLSearchParams({
        subjectId: subject,
        limit: '100',
        ...(type && { type }),
        ...(cursor && { cursor }),
      });
      const page = await this.client.json<{ items: WithId[]; nextCursor: string | null }>(
        'GET',
        `/v1/admin/audit-events?${query}`,
      );
      ids.push(...page.items.map(({ id }) => id));
      if (page.nextCursor === null) return ids;
      cursor = page.nextCursor;
    }
  }
}
