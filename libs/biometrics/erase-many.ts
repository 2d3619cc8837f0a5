import { ConsentGate } from '#consent/consent-gate';
import { DestructionLedger } from '#consent/destruction-ledger';
import { SubjectErasure } from '#consent/subject-erasure';
import type { ClientId, SubjectId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type BatchLedger, refusalOf } from './batch.js';
import { type ErasedPlace, ErasedPlaces } from './internal/erased-places.js';
import { TemplateErasure } from './internal/template-erasure.js';

export interface ErasureEntry {
  readonly n: number;
  readonly subjectId: SubjectId;
}

/** Erases many people, each in a transaction of its own that also looks for what is left of each (GDPR Art. 17). */
export class EraseMany extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly entries: readonly ErasureEntry[],
    readonly ledger: BatchLedger,
  ) {
    super();
  }
}

@CommandHandler(EraseMany)
export class EraseManyHandler implements ICommandHandler<EraseMany> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly destructions: DestructionLedger,
    private readonly templates: TemplateErasure,
    private readonly subjects: SubjectErasure,
    private readonly places: ErasedPlaces,
  ) {}

  async execute({ clientId, entries, ledger }: EraseMany): Promise<void> {
    for (const entry of entries) {
      try {
        await timed('chunk_transaction', () =>
          this.db.transaction((tx) => this.erase(tx, clientId, entry, ledger)),
        );
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
    const places = await tx.query<ErasedPlace[]>(
      'SELECT gallery_id, segment_id, slot FROM template WHERE subject_id = $1 ORDER BY gallery_id, id',
      [subjectId],
    );
    // Before the gallery's row is held: a custodian that is slow holds nobody else up.
    const usable = await this.places.countUsable(places);
    const kept = await this.destructions.ofPerson(tx, clientId, subjectId, new Date());
    const templates = await this.templates.erase(tx, { subjectId }, 'subject_erased', kept?.id);
    await this.subjects.erase(tx, clientId, subjectId, templates, kept?.dueAt);
    if (kept !== undefined) {
      const result = { subjectId, templates, destroyAfter: kept.dueAt.toISOString() };
      await ledger.settle(tx, [{ n, outcome: 'done', subjectId, result }]);
      return;
    }
    const checked = await this.places.check(tx, subjectId, places, usable);
    await ledger.settle(tx, [
      { n, outcome: 'done', subjectId, result: { subjectId, templates, ...checked } },
    ]);
  }
}
