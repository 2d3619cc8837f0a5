import { AuditLog } from '#audit/audit-log';
import { ConsentGate } from '#consent/consent-gate';
import { DestructionLedger } from '#consent/destruction-ledger';
import { SubjectErasure } from '#consent/subject-erasure';
import type { ClientId, SubjectId } from '#platform/ids';
import { currentContext } from '#platform/request-context';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { TemplateErasure } from './internal/template-erasure.js';

export interface ErasedSubject {
  /** Until when the law of the person's jurisdiction keeps the data; null: it is destroyed. */
  readonly destroyAfter: Date | null;
}

/**
 * Erases a person: templates in every gallery, reference, and whatever they had consented to (GDPR Art. 17). Where the
 * policy keeps the data for a time, nothing finds the person from now on, and the worker destroys it then.
 */
export class EraseSubject extends Command<ErasedSubject> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
    readonly requestedAt = new Date(),
    /** It was decided before, and carried out perhaps: not to find the person is no refusal of the wish. */
    readonly mayBeGone = false,
  ) {
    super();
  }
}

@CommandHandler(EraseSubject)
export class EraseSubjectHandler implements ICommandHandler<EraseSubject> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly destructions: DestructionLedger,
    private readonly templates: TemplateErasure,
    private readonly subjects: SubjectErasure,
    private readonly audit: AuditLog,
  ) {}

  async execute(command: EraseSubject): Promise<ErasedSubject> {
    const { clientId, subjectId, mayBeGone } = command;
    const event = { type: 'subject.erased', clientId, subjectId } as const;
    const erase = (): Promise<ErasedSubject> => this.erase(command);
    return mayBeGone ? erase() : this.audit.recordingRefusals(event, erase);
  }

  private erase({ clientId, subjectId, requestedAt }: EraseSubject): Promise<ErasedSubject> {
    return this.db.transaction(async (tx) => {
      // The subject's row first and for writing: an enrolment that is under way ends before, or finds nobody.
      const before = await this.destructions.heldPerson(tx, clientId, subjectId);
      if (before !== undefined) {
        const context = currentContext();
        if (context !== undefined) context.replayed = true;
        return { destroyAfter: before.dueAt };
      }
      await this.gate.holdSubject(tx, clientId, subjectId);
      const held = await this.destructions.ofPerson(tx, clientId, subjectId, requestedAt);
      const erased = await this.templates.erase(tx, { subjectId }, 'subject_erased', held?.id);
      await this.subjects.erase(tx, clientId, subjectId, erased, held?.dueAt);
      return { destroyAfter: held?.dueAt ?? null };
    });
  }
}
