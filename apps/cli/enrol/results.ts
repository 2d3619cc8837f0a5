import { closeSync, openSync, writeSync } from 'node:fs';
import type { ApiClient } from './api-client.js';
import { nameOf, type Person } from './person.js';
import { patiently } from './retry.js';

const NAMES_TOLD = 3;

interface Result {
  readonly item: number;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly code?: string;
  readonly cursor: string;
}

/** Those who were not enrolled for the same reason. */
export interface Refusals {
  readonly code: string;
  count: number;
  /** The first of them. */
  readonly names: string[];
}

/**
 * Reads what became of each person, and writes it to `path`, if there is one, a line for each with the file names.
 * `people`: in the order of the upload; undefined if the folder is no longer what was uploaded.
 */
export async function collectResults(
  api: ApiClient,
  jobId: string,
  people: readonly Person[] | undefined,
  path: string | undefined,
): Promise<Refusals[]> {
  const byCode = new Map<string, Refusals>();
  const file = path === undefined ? undefined : openSync(path, 'w', 0o600);
  let cursor: string | undefined;
  try {
    await patiently(async () => {
      const from = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
      for await (const line of api.lines(`/v1/jobs/${jobId}/results${from}`)) {
        const { cursor: next, ...result }: Result = JSON.parse(line);
        const person = people?.[result.item - 1];
        if (file !== undefined) {
          const { reference, files } = { reference: undefined, files: undefined, ...person };
          writeSync(file, `${JSON.stringify({ ...result, reference, files })}\n`);
        }
        if (result.outcome !== 'done') {
          const code = result.code ?? result.outcome;
          const refusals = byCode.get(code) ?? { code, count: 0, names: [] };
          byCode.set(code, refusals);
          const name = person === undefined ? `item ${result.item}` : nameOf(person);
          if (refusals.count++ < NAMES_TOLD) refusals.names.push(name);
        }
        cursor = next;
      }
    }, api.notify);
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return [...byCode.values()].sort((a, b) => b.count - a.count);
}
