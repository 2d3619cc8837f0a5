import { ConsentGate } from '#consent/consent-gate';
import { SubjectErasure } from '#consent/subject-erasure';
import type { ClientId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { TemplateErasure } from './internal/template-erasure.js';

/** Erases a person: templates in every gallery, reference, and whatever they had consented to (GDPR Art. 17). */
export class EraseSubject extends Command<void> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
  ) {
    super();
  }
}

@CommandHandler(EraseSubject)
export class EraseSubjectHandler implements ICommandHandler<EraseSubject> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly templates: TemplateErasure,
    private readonly subjects: SubjectErasure,
  ) {}

  execute({ clientId, subjectId }: EraseSubject): Promise<void> {
    return this.db.transaction(async (tx) => {
      // The subject's row first and for writing: an enrolment that is under way ends before, or finds nobody.
      await this.gate.holdSubject(tx, clientId, subjectId);
      const erased = await this.templates.erase(tx, { subjectId }, 'subject_erased');
      await this.subjects.erase(tx, clientId, subjectId, erased);
    });
  }
}
