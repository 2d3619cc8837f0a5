import { createHash } from 'node:crypto';
import { validate } from 'uuid';
import type { ApiClient } from './api-client.js';
import { CannotEnrol } from './cannot-enrol.js';
import type { Person } from './person.js';
import { Refused } from './retry.js';

/** Calls at once: more would only wait for each other in the database. */
const AT_ONCE = 8;

export interface Vouching {
  readonly noticeId: string;
  readonly purpose: string;
  /** From it an Idempotency-Key for each call is made, so that an interrupted registration goes on where it was. */
  readonly key: string;
}

interface Notice {
  readonly id: string;
  readonly purpose: string;
  readonly language: string;
  readonly title: string;
}

/** The notice must be about what the gallery is for; otherwise CannotEnrol names those that are. */
export async function requireNotice(api: ApiClient, noticeId: string, purpose: string): Promise<void> {
  if (validate(noticeId)) {
    try {
      if ((await api.get<Notice>(`/v1/notices/${noticeId}`)).purpose === purpose) return;
    } catch (error) {
      if (!isRefusal(error, 'notice_not_found')) throw error;
    }
  }
  const notices = await api.get<{ items: readonly Notice[] }>(`/v1/notices?purpose=${purpose}&limit=200`);
  const known = notices.items.slice(-10).map(({ id, language, title }) => `\n  ${id}  ${language}  ${title}`);
  throw new CannotEnrol(
    known.length === 0
      ? `There is no notice for ${purpose} yet: publish what people agree to (POST /v1/notices).`
      : `--notice must be the id of a notice for ${purpose}:${known.join('')}`,
  );
}

/**
 * Registers whoever is not known by their reference, and records that they agreed to the notice. Somebody who is known
 * gets a consent only if they were never asked: one that was withdrawn or has expired is not given again.
 */
export async function registerPeople(
  api: ApiClient,
  people: readonly Person[],
  vouching: Vouching,
  progress: (done: number, total: number) => void,
): Promise<void> {
  const references = [...new Set(people.flatMap(({ reference }) => reference ?? []))];
  const waiting = references.values();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const reference of waiting) {
      await register(api, reference, vouching);
      progress(++done, references.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function register(api: ApiClient, reference: string, vouching: Vouching): Promise<void> {
  const { noticeId, purpose } = vouching;
  try {
    const { id } = await api.post<{ id: string }>(
      '/v1/subjects',
      { reference },
      keyOf(vouching, 'subject', reference),
    );
    await consent(id);
  } catch (error) {
    if (!isRefusal(error, 'subject_reference_taken')) throw error;
    const known = await api.get<{ items: readonly { id: string }[] }>(
      `/v1/subjects?reference=${encodeURIComponent(reference)}`,
    );
    const [subject] = known.items;
    if (subject === undefined) return;
    const asked = await api.get<{ items: readonly object[] }>(
      `/v1/consents?subjectId=${subject.id}&purpose=${purpose}&limit=1`,
    );
    if (asked.items.length === 0) await consent(subject.id);
  }

  async function consent(subjectId: string): Promise<void> {
    // Who runs this vouches for how, too, which nobody has told us.
    const body = { subjectId, purpose, noticeId, evidence: { method: 'other' } };
    try {
      await api.post('/v1/consents', body, keyOf(vouching, 'consent', subjectId));
    } catch (error) {
      if (!isRefusal(error, 'consent_already_active')) throw error;
    }
  }
}

/** A reference is personal and may have letters that a header cannot hold. */
function keyOf({ key }: Vouching, what: string, whom: string): string {
  return createHash('sha256')
    .update(JSON.stringify([key, what, whom]))
    .digest('base64url');
}

function isRefusal(error: unknown, code: string): boolean {
  return error instanceof Refused && error.code === code;
}
