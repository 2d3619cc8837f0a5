import { CheckpointNotFound } from '#audit/audit.errors';
import { AuditLog } from '#audit/audit-log';
import { BundleSubject, type SubjectBundle } from '#audit/bundle-subject';
import { ConsentGate } from '#consent/consent-gate';
import type { CaseId, ClientId, SubjectId } from '#platform/ids';
import { Command, CommandHandler, type ICommandHandler, QueryBus } from '@nestjs/cqrs';
import { DataSource, QueryFailedError } from 'typeorm';
import { HeldData, type HeldSection, LEFT_OUT } from './internal/held-data.js';

const ENTRIES_AT_ONCE = 1_000;

export interface SubjectExport {
  readonly format: 'velum-subject-export/1';
  readonly subjectId: SubjectId;
  readonly exportedAt: Date;
  /** What is not in it, and why. */
  readonly leftOut: readonly string[];
  readonly sections: readonly HeldSection[];
  /** What was done, by whom, with proofs, read as it is asked for: none while no checkpoint was signed yet. */
  readonly audit: AsyncIterable<SubjectBundle>;
}

/**
 * GDPR Art. 15 and 20, DPDP Act section 11: all that is held about a person. A command, for that it was handed out is
 * recorded.
 */
export class ExportSubject extends Command<SubjectExport> {
  constructor(
    readonly clientId: ClientId,
    readonly subjectId: SubjectId,
    readonly caseId?: CaseId,
  ) {
    super();
  }
}

@CommandHandler(ExportSubject)
export class ExportSubjectHandler implements ICommandHandler<ExportSubject> {
  constructor(
    private readonly db: DataSource,
    private readonly gate: ConsentGate,
    private readonly held: HeldData,
    private readonly audit: AuditLog,
    private readonly queries: QueryBus,
  ) {}

  async execute(command: ExportSubject): Promise<SubjectExport> {
    const { subjectId } = command;
    const sections = await this.read(command).catch((error: unknown) => {
      // Somebody changed the person's row between the snapshot and the lock: the next snapshot has the change.
      if (isSerialisationFailure(error)) return this.read(command);
      throw error;
    });
    return {
      format: 'velum-subject-export/1',
      subjectId,
      exportedAt: new Date(),
      leftOut: LEFT_OUT,
      sections,
      audit: this.bundles(subjectId),
    };
  }

  private read({ clientId, subjectId, caseId }: ExportSubject): Promise<readonly HeldSection[]> {
    // One snapshot of all tables.
    return this.db.transaction('REPEATABLE READ', async (tx) => {
      await this.gate.requireSubject(tx, clientId, subjectId);
      const read = await this.held.read(tx, subjectId);
      const event = { type: 'subject.exported', outcome: 'ok', clientId, subjectId } as const;
      await this.audit.append(tx, caseId === undefined ? event : { ...event, details: { caseId } });
      return read;
    });
  }

  private async *bundles(subjectId: SubjectId): AsyncIterable<SubjectBundle> {
    try {
      for (let next: number | null = 0; next !== null;) {
        const bundle: SubjectBundle = await this.queries.execute(
          new BundleSubject(subjectId, next, ENTRIES_AT_ONCE),
        );
        yield bundle;
        next = bundle.nextLeaf;
      }
    } catch (error) {
      if (!(error instanceof CheckpointNotFound)) throw error;
    }
  }
}

/** The export as one JSON object, part by part: of somebody who is matched every day there are many entries. */
export async function* exportJson({ sections, audit, ...head }: SubjectExport): AsyncIterable<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"sections":[`;
  for (const [i, section] of sections.entries()) yield `${i === 0 ? '' : ','}${JSON.stringify(section)}`;
  yield '],"audit":[';
  let first = true;
  for await (const bundle of audit) {
    yield `${first ? '' : ','}${JSON.stringify(bundle)}`;
    first = false;
  }
  yield ']}';
}

/** PostgreSQL manual, appendix A. */
function isSerialisationFailure(error: unknown): boolean {
  return (
    error instanceof QueryFailedError && 'code' in error.driverError && error.driverError.code === '40001'
  );
}
