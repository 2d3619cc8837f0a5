import { AuditEntryNotFound, CheckpointNotFound, TreeSizeOutOfRange } from '#audit/audit.errors';
import { type InclusionProof, ProveInclusion } from '#audit/prove-inclusion';
import type { AuditEventId, CaseId, ClientId } from '#platform/ids';
import { Statements } from '#statements/statements';
import { type IQueryHandler, Query, QueryBus, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { RightsCase } from './internal/rights-case.entity.js';
import { CaseNotFound, CaseOfAnotherKind, ErasureInputsUnread, ErasureNotFinished } from './rights.errors.js';

export interface ErasureProof {
  /** A compact JWS of type erasure-proof+jwt. */
  readonly proof: string;
}

/** It waits for its leaf, or for the checkpoint that covers it. */
const NOT_YET = [AuditEntryNotFound, CheckpointNotFound, TreeSizeOutOfRange] as const;

interface ErasureEvent {
  readonly id: AuditEventId;
  readonly at: Date;
  readonly details: Readonly<Record<string, number>>;
  readonly commitment: Buffer | null;
  readonly kept: boolean;
  /** There are inputs of bulk jobs from before it that nobody has read, nor therefore rid of whom it erased. */
  readonly unread: boolean;
  /** Of data that was held after the request; null: it was destroyed with it. */
  readonly destroyed_at: Date | null;
  readonly destroyed_templates: number | null;
}

/**
 * What was erased and when, signed, for a person of whom nothing else is left. It rests on the audit record of the erasure,
 * which committed with it, whichever call or worker erased.
 */
export class ProveErasure extends Query<ErasureProof> {
  constructor(
    readonly clientId: ClientId,
    readonly caseId: CaseId,
  ) {
    super();
  }
}

@QueryHandler(ProveErasure)
export class ProveErasureHandler implements IQueryHandler<ProveErasure> {
  constructor(
    private readonly db: DataSource,
    private readonly statements: Statements,
    private readonly queries: QueryBus,
  ) {}

  async execute({ clientId, caseId }: ProveErasure): Promise<ErasureProof> {
    const found = await this.db.manager.findOneBy(RightsCase, { id: caseId, clientId });
    if (found === null) throw new CaseNotFound();
    const { subjectId, kind, openedAt, jurisdiction, policyRevision } = found;
    if (kind !== 'erasure') throw new CaseOfAnotherKind();
    const [erased] = await this.db.query<ErasureEvent[]>(
      `SELECT e.id, e.at, e.details, e.commitment, EXISTS (SELECT FROM audit_event r
           WHERE r.subject_id = e.subject_id AND r.type = 'subject.registered') AS kept,
         EXISTS (SELECT FROM job WHERE client_id = $2 AND state = 'received'
           AND created_at <= e.at + interval '1 minute') AS unread,
         p.destroyed_at, (SELECT sum(d.templates)::int FROM destruction d
           WHERE d.subject_id = p.subject_id AND d.destroyed_at >= p.created_at) AS destroyed_templates
       FROM audit_event e LEFT JOIN destruction p ON p.subject_id = e.subject_id AND p.consent_id IS NULL
       WHERE e.subject_id = $1 AND e.type = 'subject.erased' AND e.outcome = 'ok' ORDER BY e.id DESC LIMIT 1`,
      [subjectId, clientId],
    );
    // Entries about a person are the last that goes: while there are any, the law keeps what was asked to be erased.
    if (erased === undefined || erased.kept) throw new ErasureNotFinished();
    if (erased.unread) throw new ErasureInputsUnread();
    const { consents = 0 } = erased.details;
    const templates = erased.destroyed_templates ?? erased.details['templates'] ?? 0;
    const inclusion = await this.inclusion(erased.id);
    const payload = {
      sub: subjectId,
      caseId,
      clientId,
      requestedAt: openedAt.toISOString(),
      erasedAt: (erased.destroyed_at ?? erased.at).toISOString(),
      // A template took one pad, which is never given again (docs/adr/0002-a-pad-is-taken-before-it-is-used.md).
      erased: { templates, pads: templates, consents },
      policy: { jurisdiction, revision: policyRevision, rule: 'rights.erasure' },
      audit: {
        eventId: erased.id,
        commitment: erased.commitment?.toString('base64') ?? null,
        ...(inclusion === undefined
          ? {}
          : { leafIndex: inclusion.leafIndex, checkpoint: inclusion.checkpoint, hashes: inclusion.hashes }),
      },
    };
    const proof = await this.db.transaction((tx) => this.statements.sign(tx, 'erasure-proof+jwt', payload));
    return { proof };
  }

  private async inclusion(eventId: AuditEventId): Promise<InclusionProof | undefined> {
    try {
      return await this.queries.execute(new ProveInclusion({ eventId }));
    } catch (error) {
      if (NOT_YET.some((kind) => error instanceof kind)) return undefined;
      throw error;
    }
  }
}
