import type { ClientRecord, ProcessingRecord, PurposeRecord } from '#records/describe-processing';
import { type Html, html } from '../../page/html.js';
import { definitions, evidenceOf, page, stateOf, table } from '../../page/page.js';
import { openItemsTable, timeLimitsTable } from './shared-tables.js';

export function processingPage(record: ProcessingRecord): string {
  const { generatedAt, law, operator, transfers, clients, securityMeasures, openItems } = record;
  return page('Record of processing activities', generatedAt, [
    html`<p>After ${law}. What is marked as not stated is known to people alone.</p>`,
    html`<h2>Operator</h2>`,
    definitions({ Name: operator.name, Contact: operator.contact }),
    html`<h2>Transfers</h2>`,
    definitions({
      'Backups are kept in': transfers.backupTarget,
      'Region of the backups': transfers.backupRegion ?? 'none',
      'Country and keeper of the backups':
        transfers.backupTarget === 'none' ? 'none' : transfers.backupLocation,
      'Third countries and safeguards': transfers.given,
    }),
    ...clients.map(clientSection),
    html`<h2>Security measures</h2>`,
    table(
      'Technical and organisational measures (GDPR Art. 32(1)), as they are at this moment',
      ['Measure', 'Control', 'State', 'Evidence'],
      securityMeasures.map(({ measure, control, state, evidence }) => [
        measure,
        control,
        stateOf(state),
        evidenceOf(evidence),
      ]),
    ),
    html`<h2>Open items</h2>`,
    openItemsTable(openItems),
  ]);
}

function clientSection(client: ClientRecord): Html {
  const { name, clientId, disabled, controller, recipients } = client;
  const about = definitions({
    Client: clientId,
    State: disabled ? 'disabled' : 'active',
    'The operator is': client.operatorRole,
    Controller: controller.name,
    'Contact of the controller': controller.contact,
    Representative: client.representative,
    'Data protection officer': client.dataProtectionOfficer,
    'Recipients of ids, counts and codes': recipients.length === 0 ? 'none' : recipients.join(', '),
  });
  return html`<section>
    <h2>Client: ${name}</h2>
    ${about} ${client.purposes.map(purposeSection)}
  </section>`;
}

function purposeSection(purpose: PurposeRecord): Html {
  const { legalBasis, subjects, dataCategories, galleries, notices, otherRecipients, timeLimits } = purpose;
  return html`<h3>Purpose: ${purpose.purpose}</h3>
    ${definitions({
      'Legal basis': legalBasis,
      'Categories of data': dataCategories.join('; '),
      'Other recipients': otherRecipients,
    })}
    ${table(
      'Persons who consented or of whom data is held, by the law that they are under',
      ['Jurisdiction', 'Persons'],
      subjects.map((each) => [each.jurisdiction, each.subjects]),
    )}
    ${table(
      'Galleries',
      ['Gallery', 'Model', 'Dimension', 'Templates', 'Held until their date', 'Threshold (cosine)'],
      galleries.map((each) => [
        each.name,
        each.model,
        each.dimension,
        each.templates,
        each.heldTemplates,
        each.thresholdCosine,
      ]),
    )}
    ${table(
      'Notices in force',
      ['Title', 'Language', 'Version', 'Itemised', 'Data, as it puts it'],
      notices.map((each) => [
        each.title,
        each.language,
        each.version,
        each.itemised ? 'yes' : 'no',
        each.data ?? 'in its text',
      ]),
    )}
    ${timeLimitsTable(timeLimits)}`;
}
