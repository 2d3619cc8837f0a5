import type { ImpactEvidence } from '#records/describe-impact';
import { html } from '../../page/html.js';
import { definitions, evidenceOf, page, stateOf, table } from '../../page/page.js';
import { openItemsTable, timeLimitsTable } from './shared-tables.js';

export function impactPage(impact: ImpactEvidence): string {
  const { counts, incidents } = impact;
  return page('Evidence for the data protection impact assessment', impact.generatedAt, [
    html`<p>After ${impact.law}. The system shows figures; the assessment is made by people.</p>`,
    html`<h2>Scale of the processing</h2>`,
    definitions({
      'Client applications': counts.clients,
      Galleries: counts.galleries,
      Persons: counts.subjects,
      'Valid consents': counts.validConsents,
      Templates: counts.templates,
      'Templates whose consent has ended': counts.templatesWithoutConsent,
    }),
    html`<h2>Necessity</h2>`,
    table(
      'Purposes, and what they rest on',
      ['Client', 'Purpose', 'Persons', 'Notices', 'Legal basis', 'Why it is necessary'],
      impact.necessity.map((each) => [
        each.client,
        each.purpose,
        each.subjects,
        each.notices,
        each.legalBasis,
        each.necessity,
      ]),
    ),
    html`<h2>Accuracy</h2>`,
    table(
      'Thresholds, and the false match rate that the card of the model measured for them',
      ['Gallery', 'Model', 'Threshold (cosine)', 'Measured false match rate', 'Card', 'Presentation attacks'],
      impact.accuracy.map((each) => [
        each.name,
        each.model,
        each.thresholdCosine,
        each.measuredFalseMatchRate ?? 'not measured by Velum',
        each.card ?? 'none',
        each.presentationAttack,
      ]),
    ),
    html`<h2>Retention</h2>`,
    timeLimitsTable(impact.retention),
    html`<h2>Risks and measures</h2>`,
    table(
      'Risks to the rights and freedoms of persons (GDPR Art. 35(7)(c) and (d))',
      ['Risk', 'Harm', 'Measures', 'What the running system shows'],
      impact.risks.map(({ risk, harm, measures, controls }) => [
        risk,
        harm,
        measures.join('. '),
        controls.length === 0
          ? 'Nothing: a person has to judge'
          : html`${controls.map(({ id, state, evidence }) => html`<p>${id} ${stateOf(state)}: ${evidenceOf(evidence)}</p>`)}`,
      ]),
    ),
    html`<h2>Evidence</h2>`,
    definitions({
      Incidents: `${incidents.all}, open: ${incidents.open}`,
      'Latest checkpoint of the audit log': impact.auditCheckpointAt ?? 'none',
      'Latest backup': impact.lastBackup,
      'Latest restore': impact.lastRestoreAt ?? 'none',
      'Latest restore drill': impact.restoreDrill,
    }),
    html`<h2>Assessments</h2>`,
    table(
      'When the processing was assessed, and when it is due again',
      ['Jurisdiction', 'Kind', 'Every', 'Source', 'Last', 'Due', 'Overdue'],
      impact.assessments.map(({ jurisdiction, kind, every, source, lastAt, dueAt, overdue }) => [
        jurisdiction,
        kind,
        every ?? 'not asked for',
        source,
        lastAt ?? 'never recorded',
        dueAt ?? 'none',
        overdue ? 'yes' : 'no',
      ]),
    ),
    html`<h2>Open items</h2>`,
    openItemsTable(impact.openItems),
  ]);
}
