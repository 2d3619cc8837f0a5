import { AuditLog } from '#audit/audit-log';
import { type Created, Idempotency, type IdempotentRequest } from '#platform/idempotency';
import { type IncidentId, newId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntryKind } from './incident.js';
import { IncidentEntry } from './internal/incident-entry.entity.js';
import { IncidentLedger } from './internal/incident-ledger.js';

export interface NewEntry {
  readonly kind: EntryKind;
  readonly language: string;
  readonly text: string;
}

/** Writes down what was found, was done, or is to be told. */
export class AddEntry extends Command<Created<'incident-entry'>> {
  constructor(
    readonly incidentId: IncidentId,
    readonly entry: NewEntry,
    readonly idempotency?: IdempotentRequest,
  ) {
    super();
  }
}

@CommandHandler(AddEntry)
export class AddEntryHandler implements ICommandHandler<AddEntry> {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly ledger: IncidentLedger,
    private readonly audit: AuditLog,
  ) {}

  execute({ incidentId, entry, idempotency }: AddEntry): Promise<Created<'incident-entry'>> {
    return this.idempotency.transaction(idempotency, async (tx) => {
      await this.ledger.holdUnclosed(tx, incidentId);
      const id = newId<'incident-entry'>();
      await tx.insert(IncidentEntry, { id, incidentId, ...entry });
      const details = { incidentId, entryId: id, kind: entry.kind, language: entry.language };
      await this.audit.append(tx, { type: 'incident.entry_added', outcome: 'ok', details });
      return { id };
    });
  }
}
