import { AuditLog } from '#audit/audit-log';
import { ClientNotFound } from '#auth/auth.errors';
import { violates } from '#platform/constraint-violation';
import { newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { FactStore } from './internal/fact-store.js';
import type { RecordFact } from './list-facts.js';

/** What stands there afterwards is what was given, and nothing else. Throws ClientNotFound. */
export class ReplaceFacts extends Command<void> {
  constructor(readonly facts: readonly RecordFact[]) {
    super();
  }
}

@CommandHandler(ReplaceFacts)
export class ReplaceFactsHandler implements ICommandHandler<ReplaceFacts> {
  constructor(
    private readonly db: DataSource,
    private readonly store: FactStore,
    private readonly audit: AuditLog,
  ) {}

  execute({ facts }: ReplaceFacts): Promise<void> {
    return this.audit.recordingRefusals({ type: 'record.facts_replaced' }, async () => {
      try {
        await this.replace(facts);
      } catch (error) {
        throw violates(error, 'record_fact_client_id_fkey') ? new ClientNotFound() : error;
      }
    });
  }

  private replace(facts: readonly RecordFact[]): Promise<void> {
    return this.db.transaction(async (tx) => {
      // Of two at once the second replaces what the first has written.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('record_fact', 0))`);
      const before = await this.store.all(tx);
      await tx.query('DELETE FROM record_fact');
      for (const fact of facts) await this.store.add(tx, newId<'record-fact'>(), fact);
      const changed = [...before, ...facts].filter((fact) => !(has(before, fact) && has(facts, fact)));
      const names = [...new Set(changed.map(({ name }) => name))].toSorted().join(' ');
      const details = { facts: facts.length, changed: names };
      await this.audit.append(tx, { type: 'record.facts_replaced', outcome: 'ok', details });
    });
  }
}

function has(facts: readonly RecordFact[], { name, clientId, purpose, value }: RecordFact): boolean {
  return facts.some(
    (each) =>
      each.name === name && each.clientId === clientId && each.purpose === purpose && each.value === value,
  );
}
