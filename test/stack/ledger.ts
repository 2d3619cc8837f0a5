import { EVIDENCE, NOTICE } from '../harness/agreement.js';
import { Agent } from 'node:https';
import { setTimeout } from 'node:timers/promises';
import { expect } from './check.js';
import type { Answer, StackClient } from './client.js';
import { randomFace } from './story.js';

const DIMENSION = 128;
const JOB_LINES = 50;
const LONGEST_JOB_MS = 90_000;

interface WithId {
  readonly id: string;
}

interface Person {
  readonly subjectId: string;
  readonly consentId: string;
  readonly face: readonly number[];
}

export interface LedgerCall {
  readonly begun: number;
  readonly ended: number;
  /** `cut`: no answer; `refused`: 503 that says when to come again; else what was answered and should not be. */
  readonly outcome: 'ok' | 'cut' | 'refused' | { readonly unclear: string };
}

/** Calls of every kind, one after the other and for ever; what was acknowledged is kept, and must be true afterwards. */
export class Ledger {
  readonly calls: LedgerCall[] = [];
  readonly enrolled: Person[] = [];
  readonly erased: Person[] = [];
  readonly withdrawn: Person[] = [];
  readonly jobs: string[] = [];
  /** Matches of people who were gone before the question was asked, and refusals of people who are there. */
  readonly wrong: string[] = [];
  private standing: Person[] = [];
  private running = true;
  private senders: Promise<void>[] = [];

  private constructor(
    private readonly client: StackClient,
    readonly galleryId: string,
    private readonly noticeId: string,
  ) {}

  static async open(client: StackClient): Promise<Ledger> {
    const { id: galleryId } = await client.json<WithId>('POST', '/v1/galleries', {
      name: `Ledger ${Date.now()}`,
      purpose: 'access_control',
      model: 'stack-test',
      dimension: DIMENSION,
      threshold: { cosine: 0.9 },
    });
    const { id: noticeId } = await client.json<WithId>('POST', '/v1/notices', {
      purpose: 'access_control',
      ...NOTICE,
    });
    return new Ledger(client, galleryId, noticeId);
  }

  start(): void {
    const parts: [number, number, (client: StackClient, round: number) => Promise<void>][] = [
      [3, 50, (client, round) => this.live(client, round)],
      [3, 50, (client) => this.askForOneOf(client, this.standing, true)],
      [2, 50, (client) => this.askForOneOf(client, [...this.erased, ...this.withdrawn], false)],
      [1, 1_000, (client) => this.startJob(client)],
    ];
    this.senders = parts.flatMap(([senders, pauseMs, work]) =>
      Array.from({ length: senders }, (_, i) =>
        this.sender(pauseMs, (client, round) => work(client, round + i)),
      ),
    );
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.senders);
  }

  /** The calls that failed, and how long after that moment the last of them was answered. */
  costSince(moment: number): { failed: LedgerCall[]; all: number; seconds: number; longest: number } {
    const calls = this.calls.filter(({ ended }) => ended >= moment);
    const failed = calls.filter(({ outcome }) => outcome !== 'ok');
    const seconds = (Math.max(moment, ...failed.map(({ ended }) => ended)) - moment) / 1_000;
    const longest = Math.max(0, ...calls.map(({ begun, ended }) => ended - begun)) / 1_000;
    return { failed, all: calls.length, seconds, longest };
  }

  /** Asks for each of them once more; throws at the first that is not as was acknowledged. */
  async settle(): Promise<void> {
    for (const person of this.standing) {
      expect(
        (await this.verify(this.client, person)) === true,
        `${person.subjectId} was enrolled and does not match`,
      );
    }
    for (const person of [...this.erased, ...this.withdrawn]) {
      expect((await this.verify(this.client, person)) === false, `${person.subjectId} is gone and matches`);
    }
    for (const id of this.jobs) await this.ended(id);
  }

  private async sender(
    pauseMs: number,
    work: (client: StackClient, round: number) => Promise<void>,
  ): Promise<void> {
    const client = this.client.over(new Agent({ keepAlive: true, maxSockets: 1 }));
    for (let round = 0; this.running; round++) {
      await work(client, round);
      await setTimeout(pauseMs);
    }
  }

  /** A person comes, and of three one stays, one is erased, one withdraws the consent. */
  private async live(client: StackClient, round: number): Promise<void> {
    const face = randomFace();
    const subject = await this.created(client, '/v1/subjects', {});
    if (subject === undefined) return;
    const consent = {
      subjectId: subject.id,
      purpose: 'access_control',
      noticeId: this.noticeId,
      evidence: EVIDENCE,
    };
    const granted = await this.created(client, '/v1/consents', consent);
    if (granted === undefined) return;
    const path = `/v1/galleries/${this.galleryId}/subjects/${subject.id}/templates`;
    if ((await this.created(client, path, { embedding: face })) === undefined) return;
    const person = { subjectId: subject.id, consentId: granted.id, face };
    this.enrolled.push(person);
    if (round % 3 === 0) {
      this.standing.push(person);
    } else if (round % 3 === 1) {
      // 404: nginx sent it again, to who is left, after it had been carried out (infra/nginx/upstreams.conf).
      const answer = await this.call(client, 'DELETE', `/v1/subjects/${subject.id}`, undefined, [204, 404]);
      if (answer !== undefined) this.erased.push(person);
    } else {
      const answer = await this.call(client, 'POST', `/v1/consents/${granted.id}/withdraw`, undefined, [200]);
      if (answer !== undefined) this.withdrawn.push(person);
    }
  }

  private async askForOneOf(client: StackClient, people: readonly Person[], there: boolean): Promise<void> {
    const person = people[Math.floor(Math.random() * people.length)];
    if (person === undefined) return;
    const match = await this.verify(client, person);
    if (match === !there)
      this.wrong.push(`${person.subjectId} ${there ? 'is there' : 'is gone'}: match ${match}`);
  }

  /** Undefined if there was no answer to that question. */
  private async verify(client: StackClient, { subjectId, face }: Person): Promise<boolean | undefined> {
    const path = `/v1/galleries/${this.galleryId}/subjects/${subjectId}/verify`;
    // 403 without a consent, 404 after an erasure.
    const answer = await this.call(client, 'POST', path, { embedding: face }, [200, 403, 404]);
    if (answer === undefined) return undefined;
    return answer.status === 200 && (JSON.parse(answer.body) as { match: boolean }).match;
  }

  private async startJob(client: StackClient): Promise<void> {
    const lines = Array.from({ length: JOB_LINES }, () => JSON.stringify({ embedding: randomFace() }));
    const path = `/v1/galleries/${this.galleryId}/jobs?type=identify`;
    const answer = await this.call(client, 'POST', path, lines.join('\n'), [201], 'application/x-ndjson');
    if (answer !== undefined) this.jobs.push((JSON.parse(answer.body) as WithId).id);
  }

  private async ended(jobId: string): Promise<void> {
    const deadline = Date.now() + LONGEST_JOB_MS;
    let job: { state: string; total: number | null; done: number };
    do {
      job = await this.client.json('GET', `/v1/jobs/${jobId}`);
      expect(Date.now() < deadline, `the job ${jobId} is still ${job.state}`);
      if (job.state !== 'ended') await setTimeout(200);
    } while (job.state === 'received' || job.state === 'running');
    expect(job.state === 'ended' && job.done === JOB_LINES, `the job ${jobId}: ${JSON.stringify(job)}`);
    const { body } = await this.client.send('GET', `/v1/jobs/${jobId}/results`);
    const items = body
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { item: number }).item);
    expect(
      new Set(items).size === JOB_LINES && items.length === JOB_LINES,
      `${items.length} results of ${jobId}`,
    );
  }

  private async created(client: StackClient, path: string, body: object): Promise<WithId | undefined> {
    const answer = await this.call(client, 'POST', path, body, [201]);
    return answer === undefined ? undefined : (JSON.parse(answer.body) as WithId);
  }

  /** The answer if it is one of these; every other is noted. */
  private async call(
    client: StackClient,
    method: string,
    path: string,
    body: object | string | undefined,
    good: readonly number[],
    type = 'application/json',
  ): Promise<Answer | undefined> {
    const begun = Date.now();
    const note = (outcome: LedgerCall['outcome']): void =>
      void this.calls.push({ begun, ended: Date.now(), outcome });
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    let answer: Answer;
    try {
      answer = await client.send(method, path, text, { 'content-type': type });
    } catch {
      note('cut');
      return undefined;
    }
    if (good.includes(answer.status)) {
      note('ok');
      return answer;
    }
    const clear =
      answer.status === 503 &&
      answer.headers['retry-after'] !== undefined &&
      answer.headers['content-type']?.startsWith('application/problem+json') === true;
    note(clear ? 'refused' : { unclear: `${method} ${path}: ${answer.status} ${answer.body.slice(0, 300)}` });
    return undefined;
  }
}
