import { NOTICE_ITEMS } from '#policy/consent-rules';
import { randomBytes } from 'node:crypto';
import { SmokeClient, type Credentials } from './smoke-client.js';
import { SmokeFailed } from './smoke-failed.js';

const PURPOSE = 'access_control';
const DIMENSION = 128;

interface WithId {
  readonly id: string;
}

/** Enrols, verifies, identifies and erases a face of random numbers; throws SmokeFailed at the first thing that is wrong. */
export async function runMainJob(
  url: string,
  credentials: Credentials,
  done: (step: string, ms: number) => void,
): Promise<void> {
  const step = async <R>(name: string, work: () => Promise<R>): Promise<R> => {
    const started = performance.now();
    try {
      const result = await work();
      done(name, Math.round(performance.now() - started));
      return result;
    } catch (error) {
      throw error instanceof SmokeFailed ? new SmokeFailed(`smoke test, ${name}: ${error.message}`) : error;
    }
  };
  const [face, stranger] = [randomFace(), randomFace()];
  const api = await step('token', () => SmokeClient.connect(url, credentials));
  const gallery = await step('gallery', () =>
    api.post<WithId>('/v1/galleries', {
      name: `Smoke test ${randomBytes(8).toString('hex')}`,
      purpose: PURPOSE,
      model: 'smoke-test',
      dimension: DIMENSION,
      threshold: { cosine: 0.9 },
    }),
  );
  const path = `/v1/galleries/${gallery.id}`;
  try {
    const subject = await step('subject', () => api.post<WithId>('/v1/subjects'));
    const templates = `${path}/subjects/${subject.id}/templates`;
    const verify = `${path}/subjects/${subject.id}/verify`;
    await step('refused without consent', async () => {
      expect((await api.status(templates, { embedding: face })) === 403, 'enrolled without a consent');
    });
    await step('consent', async () => {
      // Whatever the policy in force asks for.
      const items = Object.fromEntries(
        NOTICE_ITEMS.map((item) => [item, 'A face of random numbers, of nobody.']),
      );
      const text = { language: 'en', title: 'Smoke test', items };
      const notice = await api.post<WithId>('/v1/notices', { purpose: PURPOSE, ...text });
      const agreement = { subjectId: subject.id, purpose: PURPOSE, noticeId: notice.id };
      await api.post('/v1/consents', { ...agreement, evidence: { method: 'other' } });
    });
    await step('enrolment', () => api.post(templates, { embedding: face }));
    await step('verification', async () => {
      const same = await api.post<{ match: boolean }>(verify, { embedding: face });
      expect(same.match, 'the face was not accepted');
      const other = await api.post<{ match: boolean }>(verify, { embedding: stranger });
      expect(!other.match, 'another face was accepted');
    });
    const found = async (): Promise<string[]> => {
      const { candidates } = await api.post<{ candidates: { subjectId: string }[] }>(`${path}/identify`, {
        embedding: face,
      });
      return candidates.map(({ subjectId }) => subjectId);
    };
    await step('identification', async () => {
      expect((await found()).includes(subject.id), 'the face was not found');
    });
    await step('erasure', async () => {
      await api.delete(`/v1/subjects/${subject.id}`);
      expect((await found()).length === 0, 'an erased face was found');
    });
  } finally {
    await step('gallery destroyed', () => api.delete(path));
  }
}

function randomFace(): number[] {
  return Array.from(randomBytes(DIMENSION), (byte) => byte - 127.5);
}

function expect(condition: boolean, failure: string): void {
  if (!condition) throw new SmokeFailed(failure);
}
