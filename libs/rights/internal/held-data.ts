import type { SubjectId } from '#platform/ids';
import type { Keyring } from '#platform/keyring';
import { SEALED_COLUMNS } from '#platform/sealed-columns';
import { KEYRING } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

export type HeldRow = Readonly<Record<string, unknown>>;

export interface HeldSection {
  readonly name: string;
  /** The table that it comes from. */
  readonly source: string;
  readonly rows: readonly HeldRow[];
}

interface Source {
  readonly name: string;
  readonly table: string;
  /** Of the rows `t` that are about the subject $1. */
  readonly where: string;
  /** Places and counters of the machinery, and what `LEFT_OUT` tells of. */
  readonly without?: readonly string[];
  /** Sealed columns that are the person's: they are shown in the clear, and others not at all. */
  readonly opened?: readonly string[];
}

const CONSENTS = 'SELECT id FROM consent WHERE subject_id = $1';
const CASES = 'SELECT id FROM rights_case WHERE subject_id = $1';
const CLIENT = '(SELECT client_id FROM subject WHERE id = $1)';

const SOURCES: readonly Source[] = [
  {
    name: 'subject',
    table: 'subject',
    where: 't.id = $1',
    without: ['reference_index'],
    opened: ['reference'],
  },
  { name: 'consents', table: 'consent', where: 't.subject_id = $1', without: ['version'] },
  { name: 'consentFacts', table: 'consent_fact', where: `t.consent_id IN (${CONSENTS})` },
  {
    name: 'notices',
    table: 'notice',
    // Also those that were agreed to before the one that counts now.
    where: `t.id IN (SELECT notice_id FROM consent WHERE subject_id = $1
      UNION SELECT notice_id FROM consent_fact WHERE consent_id IN (${CONSENTS}))`,
  },
  {
    name: 'templates',
    table: 'template',
    where: 't.subject_id = $1',
    without: ['row', 'binding', 'segment_id', 'slot', 'version'],
  },
  {
    name: 'heldTemplates',
    table: 'held_template',
    where: `t.consent_id IN (${CONSENTS})`,
    without: ['row', 'segment_id', 'slot'],
  },
  { name: 'destructions', table: 'destruction', where: 't.subject_id = $1', without: ['run_id'] },
  { name: 'holds', table: 'legal_hold', where: 't.subject_id = $1' },
  {
    name: 'galleries',
    table: 'gallery',
    where: `t.id IN (SELECT gallery_id FROM template WHERE subject_id = $1
      UNION SELECT gallery_id FROM held_template WHERE consent_id IN (${CONSENTS}))`,
    without: ['version'],
  },
  {
    name: 'jobItems',
    table: 'job_item',
    where: `t.job_id IN (SELECT id FROM job WHERE client_id = ${CLIENT})
      AND (t.subject_id = $1 OR strpos(t.input::text, $1::text) > 0 OR strpos(t.result::text, $1::text) > 0)`,
    without: ['input', 'result', 'chunk'],
  },
  { name: 'cases', table: 'rights_case', where: 't.subject_id = $1', opened: ['request', 'answer'] },
  { name: 'caseTransitions', table: 'case_transition', where: `t.case_id IN (${CASES})` },
  { name: 'caseReminders', table: 'case_reminder', where: `t.case_id IN (${CASES})` },
  { name: 'nominee', table: 'nominee', where: 't.subject_id = $1', opened: ['name', 'contact'] },
  { name: 'incidents', table: 'incident_subject', where: 't.subject_id = $1', without: ['delivery_ids'] },
  {
    name: 'webhookDeliveries',
    table: 'webhook_delivery',
    where: `t.webhook_id IN (SELECT id FROM webhook WHERE client_id = ${CLIENT})
      AND (strpos(t.body, $1::text) > 0 OR EXISTS (SELECT FROM rights_case c
        WHERE c.subject_id = $1 AND strpos(t.body, c.id::text) > 0))`,
    without: ['body', 'handed_at', 'leased_until'],
  },
];

export const LEFT_OUT = [
  'template.row, segment_id, slot: the encrypted template and its place. Without the keys it is readable to nobody, and it is no picture of the face.',
  'Pads and keys: they are of the gallery, not of the person. Photographs and comparison scores are stored nowhere.',
  'job_item.input and result, webhook_delivery.body: they may name other persons (GDPR Art. 15(4)); that they named this one is told.',
  'audit_event: under `audit`, each entry with its proof.',
] as const;

/** What the database holds about a person, table by table: new columns of these tables come with it by themselves. */
@Injectable()
export class HeldData {
  constructor(@Inject(KEYRING) private readonly keyring: Keyring) {}

  async read(tx: EntityManager, subjectId: SubjectId): Promise<readonly HeldSection[]> {
    const sections: HeldSection[] = [];
    for (const { name, table, where, without = [], opened = [] } of SOURCES) {
      const closed = SEALED_COLUMNS.filter(
        (sealed) => sealed.table === table && !opened.includes(sealed.column),
      );
      const rows = await tx.query<{ row: Record<string, unknown> }[]>(
        `SELECT to_jsonb(t) - $2::text[] AS row FROM ${table} t WHERE ${where}`,
        [subjectId, [...without, ...closed.map(({ column }) => column)]],
      );
      sections.push({ name, source: table, rows: rows.map(({ row }) => this.show(table, row)) });
    }
    return sections;
  }

  private show(table: string, row: Record<string, unknown>): HeldRow {
    return Object.fromEntries(
      Object.entries(row).map(([column, value]) => [camelCase(column), this.readable(table, column, value)]),
    );
  }

  private readable(table: string, column: string, value: unknown): unknown {
    // How PostgreSQL writes bytea in JSON.
    if (typeof value !== 'string' || !value.startsWith('\\x')) return value;
    const name = `${table}.${column}`;
    if (!SEALED_COLUMNS.some((sealed) => sealed.name === name)) return value.slice(2);
    return this.keyring.decrypt(Buffer.from(value.slice(2), 'hex'), name).toString('utf8');
  }
}

function camelCase(column: string): string {
  return column.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
}
