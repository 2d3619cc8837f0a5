import { nearFace } from '../faces-in-space.js';

/** Somebody in the gallery. */
export interface Enrolled {
  readonly consentId: string;
  readonly face: readonly number[];
}

export interface Withdrawals {
  /** Milliseconds from sending a withdrawal to its answer. */
  readonly answers: readonly number[];
  /** From sending it to the first answer of the other replica that names nobody. */
  readonly untilNoMatch: readonly number[];
  /** Searches that were begun after the answer, and how many of them named the person. */
  readonly after: number;
  readonly matchedAfter: number;
  /** Those that were under way meanwhile and named the person. */
  readonly matchedBefore: number;
}

interface Search {
  readonly begun: number;
  readonly ended: number;
  readonly matched: boolean;
}

/** Searches that are begun after each answer. */
const SEARCHES_AFTER = 5;

/** Withdraws at one replica, one person after the other, while another searches for that person without a pause. */
export async function measureWithdrawals(
  [withdrawsAt, searchesAt]: readonly [string, string],
  token: string,
  galleryId: string,
  people: readonly Enrolled[],
): Promise<Withdrawals> {
  const post = async (path: string, body?: object): Promise<string> => {
    const response = await fetch(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  };
  const search = async (face: readonly number[], seed: number): Promise<Search> => {
    const begun = performance.now();
    const body = { embedding: nearFace(face, seed), topK: 1 };
    const text = await post(`${searchesAt}/v1/galleries/${galleryId}/identify`, body);
    const { candidates }: { candidates: unknown[] } = JSON.parse(text);
    return { begun, ended: performance.now(), matched: candidates.length > 0 };
  };
  const answers: number[] = [];
  const untilNoMatch: number[] = [];
  const counts = { after: 0, matchedAfter: 0, matchedBefore: 0 };
  for (const [n, { consentId, face }] of people.entries()) {
    if (!(await search(face, n)).matched) throw new Error('somebody was not found before the withdrawal');
    let answered: number | undefined;
    const searches: Search[] = [];
    const searching = (async () => {
      for (let after = 0; after < SEARCHES_AFTER;) {
        const done = await search(face, n + searches.length);
        searches.push(done);
        if (answered !== undefined && done.begun > answered) after++;
      }
    })();
    const sent = performance.now();
    await post(`${withdrawsAt}/v1/consents/${consentId}/withdraw`);
    const ended = performance.now();
    answered = ended;
    await searching;
    answers.push(ended - sent);
    untilNoMatch.push((searches.find(({ matched }) => !matched)?.ended ?? Infinity) - sent);
    counts.after += searches.filter(({ begun }) => begun > ended).length;
    counts.matchedAfter += searches.filter(({ begun, matched }) => matched && begun > ended).length;
    counts.matchedBefore += searches.filter(({ begun, matched }) => matched && begun <= ended).length;
  }
  return { answers, untilNoMatch, ...counts };
}
