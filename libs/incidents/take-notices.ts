import { AuditLog } from '#audit/audit-log';
import type { ClientId, IncidentId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager, In } from 'typeorm';
import type { NoticeState } from './incident.js';
import { IncidentNotFound } from './incidents.errors.js';
import { IncidentNotice } from './internal/incident-notice.entity.js';

export interface PersonToTell {
  readonly subjectId: SubjectId;
  readonly jurisdiction: string;
  readonly state: NoticeState;
}

export interface NoticeText {
  readonly jurisdiction: string;
  readonly language: string;
  readonly text: string;
  readonly releasedAt: Date;
}

export interface Notices extends Page<PersonToTell> {
  readonly texts: readonly NoticeText[];
}

/** Whom a client has to tell of an incident, and what; those on the page are handed over by it. */
export class TakeNotices extends Command<Notices> {
  constructor(
    readonly clientId: ClientId,
    readonly incidentId: IncidentId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@CommandHandler(TakeNotices)
export class TakeNoticesHandler implements ICommandHandler<TakeNotices> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
    private readonly audit: AuditLog,
  ) {}

  async execute({ clientId, incidentId, page }: TakeNotices): Promise<Notices> {
    const list = `notices ${clientId} ${incidentId}`;
    const after = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    return this.db.transaction(async (tx) => {
      const concerned = await tx.query<{ jurisdiction: string }[]>(
        `SELECT DISTINCT jurisdiction FROM incident_subject
         WHERE client_id = $1 AND incident_id = $2 AND released_at IS NOT NULL`,
        [clientId, incidentId],
      );
      if (concerned.length === 0) throw new IncidentNotFound();
      const rows = await tx.query<(PersonToTell & { id: SubjectId })[]>(
        `SELECT subject_id AS id, subject_id AS "subjectId", jurisdiction, state FROM incident_subject
         WHERE client_id = $1 AND incident_id = $2 AND released_at IS NOT NULL
           AND ($3::uuid IS NULL OR subject_id > $3) ORDER BY subject_id LIMIT $4`,
        [clientId, incidentId, after, page.limit + 1],
      );
      const shown = this.cursors.page(list, page, rows, ({ subjectId, jurisdiction, state }) => ({
        subjectId,
        jurisdiction,
        state,
      }));
      await this.handOver(tx, clientId, incidentId, shown.items);
      const jurisdictions = concerned.map(({ jurisdiction }) => jurisdiction);
      return { ...shown, texts: await newestTexts(tx, incidentId, jurisdictions) };
    });
  }

  private async handOver(
    tx: EntityManager,
    clientId: ClientId,
    incidentId: IncidentId,
    people: readonly PersonToTell[],
  ): Promise<void> {
    const [, handed] = await tx.query<[unknown[], number]>(
      `UPDATE incident_subject SET state = 'handed_over', handed_at = now()
       WHERE incident_id = $1 AND client_id = $2 AND state = 'pending' AND subject_id = ANY($3)`,
      [incidentId, clientId, people.map(({ subjectId }) => subjectId)],
    );
    if (handed === 0) return;
    const details = { incidentId, handed, failed: 0 };
    await this.audit.append(tx, {
      type: 'incident.notices_handed_over',
      outcome: 'ok',
      clientId,
      details,
    });
  }
}

async function newestTexts(
  tx: EntityManager,
  incidentId: IncidentId,
  jurisdictions: readonly string[],
): Promise<NoticeText[]> {
  const all = await tx.find(IncidentNotice, {
    where: { incidentId, jurisdiction: In(jurisdictions) },
    order: { id: 'ASC' },
  });
  const newest = new Map(all.map((notice) => [`${notice.jurisdiction} ${notice.language}`, notice]));
  return [...newest.values()].map(({ jurisdiction, language, text, releasedAt }) => ({
    jurisdiction,
    language,
    text,
    releasedAt,
  }));
}
