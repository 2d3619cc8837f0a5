import { findModel } from '#faces/model-card';
import type { ClientId } from '#platform/ids';
import type { Policy } from '#policy/policies';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { FactSheet, type OpenItem } from './internal/fact-sheet.js';
import { FactStore } from './internal/fact-store.js';
import { type GalleryUse, ofUse, ProcessingInventory } from './internal/processing-inventory.js';
import { type SystemState, SystemReader } from './internal/system-state.js';
import { type TimeLimit, timeLimits } from './internal/time-limits.js';
import { type ControlFinding, lookAtControls } from './map-controls.js';
import { ASSESSMENT_KINDS, type AssessmentKind } from './record-assessment.js';
import risks from './risks.json' with { type: 'json' };

export interface ImpactEvidence {
  readonly generatedAt: Date;
  readonly law: string;
  readonly counts: SystemState['counts'];
  readonly necessity: readonly Necessity[];
  readonly accuracy: readonly Accuracy[];
  readonly retention: readonly TimeLimit[];
  readonly risks: readonly Risk[];
  /** Null: this installation keeps none yet. */
  readonly incidents: SystemState['incidents'];
  readonly auditCheckpointAt: Date | null;
  readonly lastBackup: string;
  readonly lastRestoreAt: Date | null;
  /** As stated: a drill leaves no trace in the database that it spares. */
  readonly restoreDrill: string | null;
  readonly assessments: readonly AssessmentState[];
  readonly openItems: readonly OpenItem[];
}

export interface Necessity {
  readonly clientId: ClientId;
  readonly client: string;
  readonly purpose: string;
  readonly legalBasis: string | null;
  readonly necessity: string | null;
  readonly subjects: number;
  readonly notices: number;
}

export interface Accuracy extends Pick<
  GalleryUse,
  | 'galleryId'
  | 'name'
  | 'model'
  | 'thresholdCosine'
  | 'targetFalseMatchRate'
  | 'disclosure'
  | 'presentationAttack'
> {
  /** Of the model's card, at the strictest measured cosine that the threshold reaches; null: not measured by Velum. */
  readonly measuredFalseMatchRate: number | null;
  readonly card: string | null;
}

export interface Risk {
  readonly risk: string;
  readonly harm: string;
  readonly measures: readonly string[];
  readonly controls: readonly Pick<ControlFinding, 'id' | 'state' | 'evidence'>[];
}

export interface AssessmentState {
  readonly jurisdiction: string;
  readonly kind: AssessmentKind;
  /** How often the policy in force asks for it; null: it does not. */
  readonly every: string | null;
  readonly source: string;
  readonly lastAt: Date | null;
  readonly dueAt: Date | null;
  /** One that is asked for and was never recorded is overdue, too. */
  readonly overdue: boolean;
}

interface LastAssessment {
  readonly jurisdiction: string;
  readonly kind: AssessmentKind;
  readonly assessed_at: Date;
  readonly due_at: Date | null;
}

/** What an assessment of the impact (GDPR Art. 35(7), DPDP Rules rule 13) can take from the system; people judge it. */
export class DescribeImpact extends Query<ImpactEvidence> {}

@QueryHandler(DescribeImpact)
export class DescribeImpactHandler implements IQueryHandler<DescribeImpact> {
  constructor(
    private readonly db: DataSource,
    private readonly facts: FactStore,
    private readonly inventory: ProcessingInventory,
    private readonly system: SystemReader,
  ) {}

  async execute(): Promise<ImpactEvidence> {
    const [inventory, state, facts, last] = await Promise.all([
      this.inventory.read(),
      this.system.read(),
      this.facts.all(this.db.manager),
      this.lastAssessments(),
    ]);
    const sheet = new FactSheet(facts);
    const controls = lookAtControls(state);
    const names = new Map(inventory.clients.map(({ clientId, name }) => [clientId, name]));
    const jurisdictions = new Set(inventory.subjects.map(({ jurisdiction }) => jurisdiction));
    return {
      generatedAt: state.at,
      law: 'GDPR Art. 35(7); DPDP Rules, rule 13',
      counts: state.counts,
      necessity: inventory.purposes.map((use) => ({
        ...use,
        client: names.get(use.clientId) ?? '',
        legalBasis: sheet.find('legal_basis', use.clientId, use.purpose),
        necessity: sheet.find('necessity', use.clientId, use.purpose),
        subjects: ofUse(inventory.subjects, use).reduce((sum, { subjects }) => sum + subjects, 0),
        notices: ofUse(inventory.notices, use).length,
      })),
      accuracy: inventory.galleries.map(describeAccuracy),
      retention: timeLimits(inventory.policies, jurisdictions),
      risks: risks.map((risk) => ({
        ...risk,
        controls: controls
          .filter(({ id }) => risk.controls.includes(id))
          .map(({ id, state: found, evidence }) => ({ id, state: found, evidence })),
      })),
      incidents: state.incidents,
      auditCheckpointAt: state.audit.signedAt,
      lastBackup: lastBackup(state),
      lastRestoreAt: state.restoredAt,
      restoreDrill: sheet.find('restore_drill'),
      assessments: inventory.policies.flatMap((policy) => assessmentsOf(policy, last, state.at)),
      openItems: sheet.openItems,
    };
  }

  private lastAssessments(): Promise<readonly LastAssessment[]> {
    return this.db.query<LastAssessment[]>(
      `SELECT DISTINCT ON (jurisdiction, kind) jurisdiction, kind, assessed_at, due_at FROM record_assessment
       ORDER BY jurisdiction, kind, assessed_at DESC, id DESC`,
    );
  }
}

function describeAccuracy(gallery: GalleryUse): Accuracy {
  const { galleryId, name, model, thresholdCosine, targetFalseMatchRate, disclosure, presentationAttack } =
    gallery;
  const card = findModel(model);
  const reached = (card?.thresholds ?? []).filter(({ cosine }) => cosine <= thresholdCosine);
  const rates = reached.map(({ falseMatchRate }) => falseMatchRate);
  return {
    galleryId,
    name,
    model,
    thresholdCosine,
    targetFalseMatchRate,
    measuredFalseMatchRate: rates.length === 0 ? null : Math.min(...rates),
    disclosure,
    presentationAttack,
    card: card?.card ?? null,
  };
}

function lastBackup({ backup }: SystemState): string {
  if (backup.target === 'none') return 'none';
  return backup.newest instanceof Date ? backup.newest.toISOString() : backup.newest;
}

function assessmentsOf(
  { jurisdiction, document: { assessment } }: Policy,
  all: readonly LastAssessment[],
  now: Date,
): readonly AssessmentState[] {
  return ASSESSMENT_KINDS.map((kind) => {
    const { value: every, source } = assessment[kind];
    const last = all.find((each) => each.jurisdiction === jurisdiction && each.kind === kind);
    const dueAt = last?.due_at ?? null;
    const overdue = last === undefined ? every !== null : dueAt !== null && dueAt < now;
    return { jurisdiction, kind, every, source, lastAt: last?.assessed_at ?? null, dueAt, overdue };
  });
}
