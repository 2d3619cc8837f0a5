import type { ImpactEvidence } from '#records/describe-impact';
import type { Html } from '../../page/html.js';
import { table } from '../../page/page.js';

export function openItemsTable(items: ImpactEvidence['openItems']): Html {
  return table(
    'Facts that nobody has stated (PUT /v1/admin/records/facts)',
    ['Fact', 'What it is', 'Asked for by', 'Client', 'Purpose'],
    items.map(({ fact, title, source, clientId, purpose }) => [
      fact,
      title,
      source,
      clientId ?? 'all',
      purpose ?? 'all',
    ]),
  );
}

export function timeLimitsTable(limits: ImpactEvidence['retention']): Html {
  return table(
    'Time limits for erasure, by the policies in force',
    ['Jurisdiction', 'Purpose', 'Rule', 'Time', 'Source', 'Revision'],
    limits.map(({ jurisdiction, purpose, rule, limit, source, policyRevision }) => [
      jurisdiction,
      purpose ?? 'each other',
      rule,
      limit,
      source,
      policyRevision,
    ]),
  );
}
