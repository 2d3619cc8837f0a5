import { FindCheckpoint } from '#audit/find-checkpoint';
import { CheckpointNotFound } from '#audit/audit.errors';
import { EMBEDDING_MODELS } from '#faces/model-card';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { countSealed, type SealedCount, underOldKeys } from '#platform/sealed-columns';
import { mostDays } from '#policy/duration';
import { Policies, type Policy } from '#policy/policies';
import { onHold, waitsForNotice } from '#retention/standing-in-the-way';
import { Inject, Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';
import { type BackupState, readBackups } from './backup-state.js';

/** What the installation is and does at this moment, as its own database and configuration say. */
export interface SystemState {
  readonly at: Date;
  readonly mode: Config['mode'];
  readonly databaseTls: string;
  readonly redisTls: boolean;
  readonly metrics: boolean;
  readonly accessTokenSeconds: number;
  readonly custodyApart: boolean;
  readonly keys: KeyState;
  readonly audit: AuditState;
  readonly backup: BackupState;
  readonly restoredAt: Date | null;
  readonly counts: Counts;
  readonly jurisdictions: readonly string[];
  /** The longest time for which a policy that people are under has logs kept; null: nobody is under any. */
  readonly longestLogRule: LogRule | null;
  /** Undefined: this version has no such table. */
  readonly officers: OfficerState;
  readonly proposals: ProposalState;
  readonly incidents: IncidentState;
  readonly retention: RetentionState;
}

interface LogRule {
  readonly jurisdiction: string;
  /** An ISO 8601 duration. */
  readonly rule: string;
  readonly days: number;
}

interface OfficerState {
  readonly active: number;
  readonly withTotp: number;
}

interface ProposalState {
  readonly open: number;
  readonly approved: number;
  readonly rejected: number;
}

interface IncidentState {
  readonly all: number;
  readonly open: number;
}

interface RetentionState {
  readonly waiting: number;
  /** Past their date for more than an hour, with nothing that keeps them: no hold, restriction or notice to be given. */
  readonly overdue: number;
  readonly destroyed: number;
  readonly lastRunAt: Date | null;
}

interface KeyState {
  readonly current: string;
  readonly known: number;
  readonly since: Date | null;
  readonly counts: readonly SealedCount[];
  readonly underOldKeys: number;
}

interface AuditState {
  readonly signedAt: Date | null;
  readonly treeSize: number;
  readonly waiting: number;
  readonly oldestWaitingSeconds: number;
  /** Whether a key of the log signed the latest checkpoint. */
  readonly genuine: boolean;
  readonly rewritable: boolean;
}

interface Counts {
  readonly clients: number;
  readonly clientsWithAdminScopes: number;
  readonly galleries: number;
  readonly galleriesWithoutCard: number;
  readonly subjects: number;
  readonly templates: number;
  readonly validConsents: number;
  /** Their consent has ended, and they are not erased yet. */
  readonly templatesWithoutConsent: number;
  readonly oldestEndedConsent: Date | null;
  readonly restrictedDisclosure: number;
}

const COUNTS = `SELECT
  (SELECT count(*) FROM client WHERE disabled_at IS NULL)::float8 AS clients,
  (SELECT count(*) FROM client WHERE disabled_at IS NULL AND EXISTS (SELECT FROM unnest(scopes) s WHERE s LIKE 'admin:%'))::float8
    AS "clientsWithAdminScopes",
  (SELECT count(*) FROM gallery)::float8 AS galleries,
  (SELECT count(*) FROM gallery WHERE model <> ALL ($1))::float8 AS "galleriesWithoutCard",
  (SELECT count(*) FROM gallery WHERE disclosure = 'none')::float8 AS "restrictedDisclosure",
  (SELECT count(*) FROM subject WHERE erased_at IS NULL)::float8 AS subjects,
  (SELECT count(*) FROM template)::float8 AS templates,
  (SELECT count(*) FROM consent WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > now()))::float8
    AS "validConsents", ended.templates AS "templatesWithoutConsent", ended.oldest AS "oldestEndedConsent"
  FROM (SELECT count(*)::float8 AS templates, min(c.ended_at) AS oldest
        FROM template t JOIN consent c ON c.id = t.consent_id WHERE c.ended_at IS NOT NULL) AS ended`;

const AUDIT = `SELECT
  (SELECT count(*) FROM audit_pending)::float8 AS waiting,
  greatest(0, coalesce(extract(epoch FROM now() - (SELECT queued_at FROM audit_pending ORDER BY n LIMIT 1)), 0))::float8
    AS "oldestWaitingSeconds",
  c.signed_at AS "signedAt", coalesce(c.tree_size, 0)::float8 AS "treeSize",
  has_table_privilege('audit_event', 'UPDATE') OR has_table_privilege('audit_event', 'DELETE') AS rewritable
  FROM (SELECT) AS one
    LEFT JOIN (SELECT tree_size, signed_at FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1) AS c ON true`;

const OFFICERS = `SELECT count(*)::float8 AS active, count(totp_secret)::float8 AS "withTotp"
  FROM officer WHERE enrolled_at IS NOT NULL AND disabled_at IS NULL`;

const PROPOSALS = `SELECT count(*) FILTER (WHERE state = 'open')::float8 AS open,
    count(*) FILTER (WHERE state = 'approved')::float8 AS approved,
    count(*) FILTER (WHERE state = 'rejected')::float8 AS rejected
  FROM proposal`;

const INCIDENTS = `SELECT count(*)::float8 AS "all", count(*) FILTER (WHERE state <> 'closed')::float8 AS open FROM incident`;

const IN_USE = `SELECT jurisdiction FROM unnest($1::text[]) AS known (jurisdiction)
  WHERE EXISTS (SELECT FROM subject s WHERE s.jurisdiction = known.jurisdiction AND s.erased_at IS NULL)
    OR EXISTS (SELECT FROM destruction d WHERE d.jurisdiction = known.jurisdiction AND d.destroyed_at IS NULL)`;

const RETENTION = `SELECT count(*) FILTER (WHERE destroyed_at IS NULL)::float8 AS waiting,
    count(*) FILTER (WHERE destroyed_at IS NULL AND due_at < now() - interval '1 hour'
      AND NOT ${onHold('d')} AND NOT ${waitsForNotice('d')})::float8 AS overdue,
    count(destroyed_at)::float8 AS destroyed, (SELECT max(started_at) FROM retention_run) AS "lastRunAt"
  FROM destruction d`;

/** Reads it anew each time: a record that was kept would be of yesterday. */
@Injectable()
export class SystemReader {
  constructor(
    private readonly db: DataSource,
    private readonly queries: QueryBus,
    private readonly policies: Policies,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async read(): Promise<SystemState> {
    const { manager: tx } = this.db;
    const { mode, databaseUrl, redisUrl, metricsPort, accessTokenSeconds } = this.config;
    const models = EMBEDDING_MODELS.map(({ id }) => id);
    const policies = await this.policies.all(tx);
    const [counts] = await tx.query<[Counts]>(COUNTS, [models]);
    const [restored] = await tx.query<{ at: Date }[]>(
      `SELECT at FROM audit_event WHERE type = 'database.restored' ORDER BY id DESC LIMIT 1`,
    );
    return {
      at: new Date(),
      mode,
      databaseTls: new URL(databaseUrl).searchParams.get('sslmode') ?? 'none',
      redisTls: redisUrl.startsWith('rediss:'),
      metrics: metricsPort !== 'off',
      accessTokenSeconds,
      custodyApart: isCustodyApart(this.config),
      keys: await this.keys(tx),
      audit: await this.audit(tx),
      backup: await readBackups(tx),
      restoredAt: restored?.at ?? null,
      counts,
      jurisdictions: policies.map(({ jurisdiction }) => jurisdiction),
      longestLogRule: await longestLogRule(tx, policies),
      officers: await only<OfficerState>(tx, OFFICERS),
      proposals: await only<ProposalState>(tx, PROPOSALS),
      incidents: await only<IncidentState>(tx, INCIDENTS),
      retention: await only<RetentionState>(tx, RETENTION),
    };
  }

  private async keys(tx: EntityManager): Promise<KeyState> {
    const { currentKeyId: current, keyIds } = this.config.secrets.dbEncryptionKeys;
    const counts = await countSealed(tx);
    const [seen] = await tx.query<{ seen_at: Date }[]>('SELECT seen_at FROM key_rotation WHERE key_id = $1', [
      current,
    ]);
    const old = underOldKeys(counts, current);
    return { current, known: keyIds.length, since: seen?.seen_at ?? null, counts, underOldKeys: old };
  }

  private async audit(tx: EntityManager): Promise<AuditState> {
    const [state] = await tx.query<[Omit<AuditState, 'genuine'>]>(AUDIT);
    try {
      await this.queries.execute(new FindCheckpoint());
      return { ...state, genuine: true };
    } catch (error) {
      if (!(error instanceof CheckpointNotFound)) throw error;
      return { ...state, genuine: false };
    }
  }
}

async function longestLogRule(tx: EntityManager, policies: readonly Policy[]): Promise<LogRule | null> {
  const used = await tx.query<{ jurisdiction: string }[]>(IN_USE, [
    policies.map(({ jurisdiction }) => jurisdiction),
  ]);
  const codes = new Set(used.map(({ jurisdiction }) => jurisdiction));
  const rules = policies
    .filter(({ jurisdiction }) => codes.has(jurisdiction))
    .map(({ jurisdiction, document }) => {
      const rule = document.retention.logs.value;
      return { jurisdiction, rule, days: mostDays(rule) };
    });
  return rules.toSorted((a, b) => b.days - a.days).at(0) ?? null;
}

/** The one row of an aggregate. */
async function only<T>(tx: EntityManager, sql: string): Promise<T> {
  const [row] = await tx.query<[T]>(sql);
  return row;
}

/** Whether keys are another process's, or at least another role's. */
function isCustodyApart({ custodian, custodianDatabaseUrl, databaseUrl }: Config): boolean {
  if (custodian !== undefined) return true;
  return custodianDatabaseUrl !== undefined && userOf(custodianDatabaseUrl) !== userOf(databaseUrl);
}

function userOf(url: string): string {
  return new URL(url).username;
}
