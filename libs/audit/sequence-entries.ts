import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager, QueryFailedError } from 'typeorm';
import { type Entry, seal } from './internal/entry.js';
import { type Head, lastSigned } from './internal/last-signed.js';
import { signerOf } from './internal/log-identity.js';
import { readEdge, readRoots, writeTiles } from './internal/stored-tree.js';
import { consistencyPath } from './internal/tree-paths.js';
import type { TreeEdge } from './internal/tree-edge.js';
import { LogInconsistent } from './log-inconsistent.js';
import { type Checkpoint, verifyConsistency } from './verifier/verify-audit.mjs';

/** One at a time, on whatever worker: 'audi', as the lock is called among PostgreSQL's advisory locks. */
const TURN = 0x61756469;
const MOST_AT_ONCE = 20_000;
const MOST_SEALED_AT_ONCE = 5_000;
const UNIQUE_VIOLATION = '23505';

/** Gives entries that have no leaf yet their leaves and signs a checkpoint over them; answers how many. */
export class SequenceEntries extends Command<number> {}

@CommandHandler(SequenceEntries)
export class SequenceEntriesHandler implements ICommandHandler<SequenceEntries> {
  /** What this process saw signed last. */
  private seen: Checkpoint | undefined;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute(): Promise<number> {
    try {
      const { placed, head } = await this.turn();
      if (head !== undefined) this.seen = head;
      return placed;
    } catch (error) {
      throw inconsistency(error) ?? error;
    }
  }

  /** One transaction: killed anywhere in it, nothing was done; done, leaves and checkpoint are there together. */
  private turn(): Promise<{ placed: number; head?: Checkpoint }> {
    return this.db.transaction(async (tx) => {
      const [turn] = await tx.query<{ mine: boolean; waiting: boolean; past: boolean }[]>(
        `SELECT EXISTS (SELECT FROM audit_pending) AS waiting, EXISTS (SELECT FROM audit_past) AS past,
                pg_try_advisory_xact_lock($1) AS mine`,
        [TURN],
      );
      if (turn?.mine !== true || !(turn.waiting || turn.past)) return { placed: 0 };
      // Entries of before the log was a tree go first, and what is written meanwhile waits.
      if (turn.past) await tx.query('SELECT queue_past_audit_entries($1)', [MOST_SEALED_AT_ONCE]);
      const last = await this.sealWhatCameWithout(tx);
      const signed = await lastSigned(tx, this.config);
      const edge = await readEdge(tx, signed.size);
      if (!edge.root().equals(signed.root))
        throw new LogInconsistent('the stored tree is not the signed one');
      await this.beginsWithSeen(tx, signed);
      const hashes = await placeLeaves(tx, signed.size, last, turn.past);
      if (hashes.length === 0) return { placed: 0, head: signed };
      await writeTiles(tx, edge.append(hashes));
      return { placed: edge.size - signed.size, head: await this.sign(tx, signed, edge) };
    });
  }

  /** Tables that were set back, whole and with their checkpoint, must not get a second history. */
  private async beginsWithSeen(tx: EntityManager, { size, root }: Checkpoint): Promise<void> {
    const { seen } = this;
    if (seen === undefined) return;
    const proof = size > seen.size ? await readRoots(tx, consistencyPath(seen.size, size)) : [];
    const grown = verifyConsistency(seen.size, size, seen.root, root, proof);
    if (!grown) {
      throw new LogInconsistent(
        `the log was set back or exchanged: this process saw ${seen.size} leaves signed (restart it if it was a restore)`,
      );
    }
  }

  /** Entries of a version that committed to nothing. Answers up to which the leaves may go, so that none overtakes. */
  private async sealWhatCameWithout(tx: EntityManager): Promise<string | null> {
    const rows = await tx.query<{ n: string; event: Entry }[]>(
      'SELECT n, event FROM unsealed_audit_entries($1)',
      [MOST_SEALED_AT_ONCE],
    );
    if (rows.length === 0) return null;
    const sealed = rows.map(({ event }) => seal(event, 2));
    await tx.query('SELECT seal_audit_entries($1, $2, $3)', [
      rows.map(({ event }) => event.id),
      sealed.map(({ salt }) => salt),
      sealed.map(({ commitment }) => commitment),
    ]);
    return rows.length < MOST_SEALED_AT_ONCE ? null : (rows.at(-1)?.n ?? null);
  }

  private async sign(tx: EntityManager, last: Head, edge: TreeEdge): Promise<Checkpoint> {
    const signer = await signerOf(tx, this.config);
    const [size, root] = [edge.size, edge.root()];
    // From the rows as they are now stored, not from what was just computed.
    const proof = await readRoots(tx, consistencyPath(last.size, size));
    if (!verifyConsistency(last.size, size, last.root, root, proof)) {
      throw new LogInconsistent('the new tree does not begin with the signed one');
    }
    await tx.query('INSERT INTO audit_key (vkey) VALUES ($1) ON CONFLICT DO NOTHING', [signer.vkey]);
    await tx.query('INSERT INTO audit_checkpoint (n, tree_size, note) VALUES ($1, $2, $3)', [
      last.number + 1,
      size,
      signer.sign(size, root),
    ]);
    return { origin: signer.origin, size, root };
  }
}

/** What the database or the tree complain of where rows are gone, or there that no turn wrote. */
function inconsistency(error: unknown): LogInconsistent | undefined {
  if (error instanceof RangeError) {
    return new LogInconsistent(`the stored tree has not what its size needs: ${error.message}`, {
      cause: error,
    });
  }
  if (!(error instanceof QueryFailedError)) return undefined;
  const { code, constraint }: { code?: unknown; constraint?: unknown } = error.driverError;
  return code === UNIQUE_VIOLATION
    ? new LogInconsistent(`a row is there already that this turn would write: ${String(constraint)}`, {
        cause: error,
      })
    : undefined;
}

/** In the order of the queue, in one statement: the entries never leave the database. Answers the leaf hashes. */
async function placeLeaves(
  tx: EntityManager,
  size: number,
  last: string | null,
  past: boolean,
): Promise<Buffer> {
  const [placed] = await tx.query<{ hashes: Buffer | null }[]>(
    `WITH batch AS (
       SELECT n FROM audit_pending WHERE commitment IS NOT NULL AND ($3::bigint IS NULL OR n <= $3)
         -- Committed to by the sequencer, as those of before are.
         AND (NOT $4::boolean OR get_byte(commitment, 0) = 2)
       ORDER BY n LIMIT $2 FOR UPDATE SKIP LOCKED),
     taken AS (
       DELETE FROM audit_pending p USING batch WHERE p.n = batch.n RETURNING p.n, p.event_id, p.commitment),
     placed AS (
       INSERT INTO audit_leaf (leaf_index, event_id, commitment)
       SELECT $1::bigint + row_number() OVER (ORDER BY n) - 1, event_id, commitment FROM taken
       RETURNING leaf_index, commitment)
     SELECT string_agg(sha256('\\x00'::bytea || commitment), ''::bytea ORDER BY leaf_index) AS hashes FROM placed`,
    [size, MOST_AT_ONCE, last, past],
  );
  return placed?.hashes ?? Buffer.alloc(0);
}
