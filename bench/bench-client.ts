import { NOTICE_ITEMS } from '#policy/consent-rules';
import { spawnSync } from 'node:child_process';
import { DemoClient } from '../infra/dev/demo-client.js';
import type { Call } from './load.js';

const PURPOSE = 'access_control';

interface WithId {
  readonly id: string;
}

/** A client app for the bench: it sets galleries up over HTTP and words the calls to be measured. */
export class BenchClient {
  private constructor(
    private readonly api: DemoClient,
    private readonly noticeId: string,
  ) {}

  static async create(url: string, env: Readonly<Record<string, string>>): Promise<BenchClient> {
    const args = [
      'dist/apps/cli/main.js',
      'clients',
      'create',
      '--name',
      'Bench',
      '--scopes',
      'all',
      '--json',
    ];
    const cli = spawnSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
    if (cli.status !== 0) throw new Error(cli.stderr);
    const { clientId, clientSecret }: { clientId: string; clientSecret: string } = JSON.parse(cli.stdout);
    const api = await DemoClient.connect(url, clientId, clientSecret);
    const items = Object.fromEntries(NOTICE_ITEMS.map((item) => [item, 'Measured, then thrown away.']));
    const notice = { purpose: PURPOSE, language: 'en', title: 'Bench', items };
    return new BenchClient(api, (await api.post<WithId>('/v1/notices', notice)).id);
  }

  get token(): string {
    return this.api.token;
  }

  /** A gallery for embeddings of `dimension` numbers; `bench` is not a model of ours, so any dimension goes. */
  async gallery(name: string, dimension: number): Promise<string> {
    const body = { name, purpose: PURPOSE, model: 'bench', dimension, threshold: { cosine: 0.9 } };
    return (await this.api.post<WithId>('/v1/galleries', body)).id;
  }

  async photoGallery(name: string): Promise<string> {
    return (await this.api.post<WithId>('/v1/galleries', { name, purpose: PURPOSE })).id;
  }

  async subject(): Promise<string> {
    const { id } = await this.api.post<WithId>('/v1/subjects');
    const agreement = { subjectId: id, purpose: PURPOSE, noticeId: this.noticeId };
    await this.api.post('/v1/consents', { ...agreement, evidence: { method: 'other' } });
    return id;
  }

  get authorization(): string {
    return `Bearer ${this.api.token}`;
  }

  get<R>(path: string): Promise<R> {
    return this.api.get<R>(path);
  }

  post<R>(path: string): Promise<R> {
    return this.api.post<R>(path);
  }

  /** Several at a time. */
  async people(count: number): Promise<string[]> {
    const people: string[] = [];
    let begun = 0;
    const next = async (): Promise<void> => {
      while (begun++ < count) people.push(await this.subject());
    };
    await Promise.all(Array.from({ length: 16 }, next));
    return people;
  }

  enrol(galleryId: string, subjectId: string, body: object): Call {
    return this.call(`/v1/galleries/${galleryId}/subjects/${subjectId}/templates`, body);
  }

  verify(galleryId: string, subjectId: string, body: object): Call {
    return this.call(`/v1/galleries/${galleryId}/subjects/${subjectId}/verify`, body);
  }

  identify(galleryId: string, body: object): Call {
    return this.call(`/v1/galleries/${galleryId}/identify`, body);
  }

  private call(path: string, body: object): Call {
    const headers = { authorization: `Bearer ${this.api.token}`, 'content-type': 'application/json' };
    const bytes = Buffer.from(JSON.stringify(body));
    return {
      method: 'POST',
      path,
      headers: { ...headers, 'content-length': String(bytes.length) },
      body: bytes,
    };
  }
}
