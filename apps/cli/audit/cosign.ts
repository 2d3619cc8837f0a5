import { openCheckpoint, parseVkey, trustedCheckpoint, verifyConsistency } from '#audit/verification';
import { cosignature, parseWitnessKey } from '#audit/witness';
import { open, readFile, rename } from 'node:fs/promises';
import { CannotAudit } from './cannot-audit.js';

export interface CosignOptions {
  /** Of the log that is witnessed. */
  readonly logKey: string;
  readonly url: string;
  /** File with the witness's own key. */
  readonly key: string;
  /** File that remembers the last checkpoint that was cosigned. */
  readonly state: string;
}

const PATIENCE_MS = 10_000;
const LONGEST_ANSWER = 100_000;

/**
 * Cosigns the checkpoint of another installation, if the log that it stands for begins with that of the last one; answers
 * the checkpoint with the cosignature under it. What is signed is remembered first: killed in between, a witness has
 * remembered something that it did not sign, never the other way round.
 */
export async function cosign({ logKey, url, key, state }: CosignOptions): Promise<string> {
  const witness = parseWitnessKey(await readFile(key, 'utf8'));
  if (witness === undefined) throw new CannotAudit('The key file is none of audit keygen.');
  const trust = { keys: [parseVkey(logKey)] };
  const note = await ask(url, 'audit/checkpoint');
  const shown = trusted(note, trust);
  const before = await remembered(state);
  if (before !== undefined) {
    const held = trusted(before, trust);
    if (shown.size < held.size) {
      throw new CannotAudit(
        `The log has ${shown.size} leaves and had ${held.size}: it was cut. Not cosigned.`,
      );
    }
    const proof = shown.size === held.size ? [] : await consistency(url, held.size, shown.size);
    if (!verifyConsistency(held.size, shown.size, held.root, shown.root, proof)) {
      throw new CannotAudit(
        `The log of ${shown.size} leaves does not begin with that of ${held.size}: it was rewritten, or shows you another one. Not cosigned.`,
      );
    }
  }
  await remember(state, note);
  return `${note}${cosignature(witness, shown.body, new Date())}`;
}

function trusted(
  note: string,
  trust: { keys: ReturnType<typeof parseVkey>[] },
): ReturnType<typeof openCheckpoint> {
  try {
    return trustedCheckpoint(note, trust);
  } catch (error) {
    throw new CannotAudit(
      `The checkpoint: ${error instanceof Error ? error.message : 'unreadable'}. Not cosigned.`,
    );
  }
}

async function consistency(url: string, from: number, to: number): Promise<Buffer[]> {
  const answer: { hashes?: unknown } = JSON.parse(await ask(url, `audit/consistency?from=${from}&to=${to}`));
  return Array.isArray(answer.hashes) ? answer.hashes.map((hash) => Buffer.from(String(hash), 'base64')) : [];
}

async function ask(base: string, path: string): Promise<string> {
  const url = new URL(path, base.endsWith('/') ? base : `${base}/`);
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' }).catch(
    () => {
      throw new CannotAudit(`${url.origin} does not answer.`);
    },
  );
  const text = await answer.text();
  if (!answer.ok || text.length > LONGEST_ANSWER) {
    throw new CannotAudit(`${url.origin} answered ${answer.status} to ${path}.`);
  }
  return text;
}

async function remembered(state: string): Promise<string | undefined> {
  try {
    return await readFile(state, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function remember(state: string, note: string): Promise<void> {
  const next = `${state}.new`;
  const file = await open(next, 'w', 0o600);
  try {
    await file.writeFile(note);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, state);
}
