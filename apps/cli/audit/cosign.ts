import { openCheckpoint, parseVkey, trustedCheckpoint, verifyConsistency } from '#audit/verification';
import { cosignature, parseWitnessKey } from '#audit/witness';
import { readFile } from 'node:fs/promises';
import { CannotAudit } from './cannot-audit.js';
import { WitnessState } from './witness-state.js';

export interface CosignOptions {
  /** Of the log that is witnessed: one, or several where it was replaced. */
  readonly logKey: readonly string[];
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
 * the checkpoint with the cosignature under it, and no signature that was not checked. What is signed is remembered first:
 * killed in between, a witness has remembered something that it did not sign, never the other way round.
 */
export async function cosign(options: CosignOptions): Promise<string> {
  const witness = parseWitnessKey(await readFile(options.key, 'utf8'));
  if (witness === undefined) throw new CannotAudit('The key file is none of audit keygen.');
  const state = await WitnessState.locked(options.state);
  try {
    const shown = await grown(options, await state.read());
    const note = `${shown.body}\n${shown.signatures.map((line) => `${line}\n`).join('')}`;
    await state.remember(note);
    return `${note}${cosignature(witness, shown.body, new Date())}`;
  } finally {
    await state.unlock();
  }
}

/** The checkpoint that the log shows now, if it begins with the one before. */
async function grown(
  { logKey, url }: CosignOptions,
  before: string | undefined,
): Promise<ReturnType<typeof openCheckpoint>> {
  const trust = { keys: logKey.map(parseVkey) };
  const shown = trusted(await ask(url, 'audit/checkpoint'), trust);
  if (before === undefined) return shown;
  const held = trusted(before, trust);
  if (shown.size < held.size) {
    throw new CannotAudit(`The log has ${shown.size} leaves and had ${held.size}: it was cut. Not cosigned.`);
  }
  const proof = shown.size === held.size ? [] : await consistency(url, held.size, shown.size);
  if (!verifyConsistency(held.size, shown.size, held.root, shown.root, proof)) {
    throw new CannotAudit(
      `The log of ${shown.size} leaves does not begin with that of ${held.size}: it was rewritten, or shows you another one. Not cosigned.`,
    );
  }
  return shown;
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
  if (!answer.ok) throw new CannotAudit(`${url.origin} answered ${answer.status} to ${path}.`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.length;
    if (bytes > LONGEST_ANSWER) throw new CannotAudit(`${url.origin} does not stop answering to ${path}.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
