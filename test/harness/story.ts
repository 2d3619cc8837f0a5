import { expect } from 'vitest';
import { EVIDENCE, NOTICE } from './agreement.js';
import type { Answer, TestClient } from './test-client.js';

export const PURPOSE = 'access_control';

let count = 0;

/** Deterministic embeddings: the same seed is the same face, another seed another. */
export function embedding(seed: number, dimension = 128): number[] {
  let state = Math.imul(seed, 2_654_435_761) >>> 0;
  return Array.from({ length: dimension }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Nearly the same face. */
export function similar(face: readonly number[], seed: number, noise = 0.05): number[] {
  const other = embedding(seed, face.length);
  return face.map((value, i) => value + noise * (other[i] ?? 0));
}

export async function createGallery(client: TestClient, settings: object = {}): Promise<string> {
  const body = {
    name: `Gallery ${process.pid}-${++count}`,
    purpose: PURPOSE,
    threshold: { cosine: 0.9 },
    ...settings,
  };
  return ok(await client.post('/v1/galleries', body)).id;
}

export interface Person {
  readonly subjectId: string;
  readonly consentId: string;
}

/** A subject who consented to a purpose. */
export async function consentingSubject(
  client: TestClient,
  purpose = PURPOSE,
  expiresAt?: Date,
): Promise<Person> {
  const subject = ok(await client.post('/v1/subjects', {}));
  const consentId = await grantConsent(client, subject.id, purpose, expiresAt);
  return { subjectId: subject.id, consentId };
}

/** Many who consented to one notice. */
export async function consentingPeople(client: TestClient, howMany: number): Promise<Person[]> {
  const noticeId = ok(await client.post('/v1/notices', { purpose: PURPOSE, ...NOTICE })).id;
  const people: Person[] = [];
  let begun = 0;
  const next = async (): Promise<void> => {
    while (begun++ < howMany) {
      const subjectId = ok(await client.post('/v1/subjects', {})).id;
      const agreement = { subjectId, purpose: PURPOSE, noticeId, evidence: EVIDENCE };
      const consent = ok(await client.post('/v1/consents', agreement));
      people.push({ subjectId, consentId: consent.id });
    }
  };
  await Promise.all(Array.from({ length: 16 }, next));
  return people;
}

export async function grantConsent(
  client: TestClient,
  subjectId: string,
  purpose = PURPOSE,
  expiresAt?: Date,
): Promise<string> {
  const notice = ok(await client.post('/v1/notices', { purpose, ...NOTICE }));
  const agreement = { subjectId, purpose, noticeId: notice.id, evidence: EVIDENCE };
  return ok(await client.post('/v1/consents', { ...agreement, ...(expiresAt && { expiresAt }) })).id;
}

/** A consenting subject with a template of `face`. */
export async function enrolledPerson(
  client: TestClient,
  galleryId: string,
  face: readonly number[],
): Promise<Person> {
  const person = await consentingSubject(client);
  ok(await enrol(client, galleryId, person.subjectId, face));
  return person;
}

export function enrol(
  client: TestClient,
  galleryId: string,
  subjectId: string,
  face: readonly number[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  return client.post(
    `/v1/galleries/${galleryId}/subjects/${subjectId}/templates`,
    { embedding: face },
    headers,
  );
}

export function verify(
  client: TestClient,
  galleryId: string,
  subjectId: string,
  face: readonly number[],
): Promise<Answer> {
  return client.post(`/v1/galleries/${galleryId}/subjects/${subjectId}/verify`, { embedding: face });
}

export function identify(
  client: TestClient,
  galleryId: string,
  face: readonly number[],
  topK = 1,
): Promise<Answer> {
  return client.post(`/v1/galleries/${galleryId}/identify`, { embedding: face, topK });
}

/** The body of an answer that must be a success. */
export function ok(answer: Answer): Answer['body'] {
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}
