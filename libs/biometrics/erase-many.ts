import { ConsentGate } from '#consent/consent-gate';
import { SubjectErasure } from '#consent/subject-erasure';
import type { ClientId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type BatchLedger, type BatchOutcome, refusalOf } from './batch.js';
import { TemplateErasure } from './internal/template-erasure.js';

export interface ErasureEntry {
  readonly n: number;
  readonly subjectId: SubjectId;
}

/** Erases many people, each in a transaction of its own, and counts what is left of each (GDPR Art. 17). */
export class EraseMany extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly entries: readonly ErasureEntry[],
    readonly ledger: BatchLedger,
  ) {
    super();
  }
}

/** What erasing a person left in the database: all counts MUST be 0. Rows are also what every matcher's memory follows. */
interface Remains {
  readonly templates: number;
  readonly references: number;
  readonly openConsents: number;
}

@CommandHandler(EraseMany)
export class EraseManyHandler implements ICommandHandler<EraseMany> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly templates: TemplateErasure,
    private readonly subjects: SubjectErasure,
  ) {}

  async execute({ clientId, entries, ledger }: EraseMany): Promise<void> {
    for (const entry of entries) {
      try {
        await this.db.transaction((tx) => this.erase(tx, clientId, entry, ledger));
      } catch (error) {
        const refusal = refusalOf(entry.n, error);
        await this.db.transaction(async (tx) => {
          const held = await ledger.hold(tx, [entry.n]);
          await ledger.settle(tx, held.has(entry.n) ? [refusal] : []);
        });
      }
    }
  }

  private async erase(
    tx: EntityManager,
    clientId: ClientId,
    { n, subjectId }: ErasureEntry,
    ledger: BatchLedger,
  ): Promise<void> {
    const held = await ledger.hold(tx, [n]);
    if (!held.has(n)) return;
    await this.gate.holdSubject(tx, clientId, subjectId);
    const erased = await this.templates.erase(tx, { subjectId }, 'subject_erased');
    await this.subjects.erase(tx, clientId, subjectId, erased);
    const left = await this.remains(tx, subjectId);
    if (Object.values(left).some((count) => count !== 0)) throw new Error('an erasure left something behind');
    const outcome: BatchOutcome = { n, outcome: 'done', result: { subjectId, erased, left } };
    await ledger.settle(tx, [outcome]);
  }

  private async remains(tx: EntityManager, subjectId: SubjectId): Promise<Remains> {
    const [left] = await tx.query<Remains[]>(
      `SELECT (SELECT count(*)::int FROM template WHERE subject_id = $1) AS templates,
              (SELECT count(*)::int FROM subject WHERE id = $1
                 AND (reference IS NOT NULL OR reference_index IS NOT NULL OR erased_at IS NULL)) AS references,
              (SELECT count(*)::int FROM consent WHERE subject_id = $1 AND ended_at IS NULL) AS "openConsents"`,
      [subjectId],
    );
    if (left === undefined) throw new Error('what is left was not counted');
    return left;
  }
}
