import { OpeningsLimited } from '#custody/custody.errors';
import { DomainError } from '#platform/domain-error';
import type { SubjectId } from '#platform/ids';
import type { EntityManager } from 'typeorm';

/** What became of one entry of a batch. */
export type BatchOutcome = { readonly n: number } & (
  | { readonly outcome: 'done'; readonly subjectId?: SubjectId; readonly result: object }
  | { readonly outcome: 'refused'; readonly code: string }
);

/**
 * Who gave the batch keeps its books in the transaction that carries entries out, so that each is carried out once,
 * whoever else works on the same batch.
 */
export interface BatchLedger {
  /** Which of these entries are still to be carried out; holds them until `tx` ends. */
  hold(tx: EntityManager, entries: readonly number[]): Promise<ReadonlySet<number>>;
  /** Throws if the batch was called off: then nothing of `tx` counts. */
  settle(tx: EntityManager, outcomes: readonly BatchOutcome[]): Promise<void>;
}

/** Answers the refusal of an entry; what is no refusal, or may pass by itself, is thrown on and tried again. */
export function refusalOf(n: number, error: unknown): BatchOutcome {
  const waits = error instanceof OpeningsLimited;
  if (error instanceof DomainError && error.problem.status < 500 && !waits) {
    return { n, outcome: 'refused', code: error.problem.code };
  }
  throw error;
}
