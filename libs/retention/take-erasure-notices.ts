import type { ClientId, ConsentId, DestructionId, SubjectId } from '#platform/ids';
import { Cursors, type Page, type PageRequest } from '#platform/page';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { noticeOf } from './standing-in-the-way.js';

/** A person whose data is to be destroyed since they have been away, and who has to be told before. */
export interface ErasureNotice {
  readonly subjectId: SubjectId;
  readonly consentId: ConsentId;
  readonly purpose: string;
  readonly destroyAfter: Date;
}

/** Whom a client has to tell of a destruction; those on the page count as told from now on. */
export class TakeErasureNotices extends Command<Page<ErasureNotice>> {
  constructor(
    readonly clientId: ClientId,
    readonly page: PageRequest,
  ) {
    super();
  }
}

@CommandHandler(TakeErasureNotices)
export class TakeErasureNoticesHandler implements ICommandHandler<TakeErasureNotices> {
  constructor(
    private readonly db: DataSource,
    private readonly cursors: Cursors,
  ) {}

  async execute({ clientId, page }: TakeErasureNotices): Promise<Page<ErasureNotice>> {
    const list = `erasure notices ${clientId}`;
    const after = page.cursor === undefined ? null : this.cursors.decode(list, page.cursor);
    return this.db.transaction(async (tx) => {
      // Of open consents alone: nothing else that is held is shown to a client.
      const rows = await tx.query<(ErasureNotice & { id: DestructionId })[]>(
        `SELECT d.id, d.subject_id AS "subjectId", d.consent_id AS "consentId", c.purpose,
           greatest(d.due_at, coalesce(d.told_at, now()) + ${noticeOf('d')}) AS "destroyAfter"
         FROM destruction d JOIN consent c ON c.id = d.consent_id AND c.ended_at IS NULL
         WHERE d.client_id = $1 AND d.noticed_at IS NOT NULL AND d.destroyed_at IS NULL AND ($2::uuid IS NULL OR d.id > $2)
         ORDER BY d.id LIMIT $3`,
        [clientId, after, page.limit + 1],
      );
      const told = rows.slice(0, page.limit).map(({ id }) => id);
      // One that somebody holds is being ended or cancelled: it is not waited for, and waits itself if it stays.
      await tx.query(
        `UPDATE destruction SET told_at = now() WHERE id IN (
           SELECT id FROM destruction WHERE id = ANY($1) AND told_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED)`,
        [told],
      );
      return this.cursors.page(list, page, rows, ({ subjectId, consentId, purpose, destroyAfter }) => ({
        subjectId,
        consentId,
        purpose,
        destroyAfter,
      }));
    });
  }
}
