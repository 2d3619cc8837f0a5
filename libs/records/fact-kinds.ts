export interface FactKind {
  /** Where the law asks for it. */
  readonly source: string;
  readonly title: string;
}

/** What no software can know of the processing it is used for: people say it, or it is an open item. */
export const FACT_KINDS = {
  operator_name: {
    source: 'GDPR Art. 30(1)(a) and (2)(a)',
    title: 'Name of the operator of this installation',
  },
  operator_contact: {
    source: 'GDPR Art. 30(1)(a) and (2)(a)',
    title: 'Contact of the operator',
  },
  operator_role: {
    source: 'GDPR Art. 4(7), 4(8) and 28',
    title: 'Whether the operator is controller or processor for the client',
  },
  controller_name: { source: 'GDPR Art. 30(1)(a)', title: 'Name of the controller' },
  controller_contact: { source: 'GDPR Art. 30(1)(a)', title: 'Contact of the controller' },
  representative: {
    source: 'GDPR Art. 27 and 30(1)(a)',
    title: 'Representative of the controller, or that none is needed',
  },
  dpo_contact: {
    source: 'GDPR Art. 37(7); DPDP Act section 8(9)',
    title: 'Data protection officer, or who answers for the processing',
  },
  legal_basis: { source: 'GDPR Art. 6(1) and 9(2)', title: 'Legal basis' },
  necessity: {
    source: 'GDPR Art. 35(7)(b)',
    title: 'Why the processing is necessary and proportionate',
  },
  other_recipients: {
    source: 'GDPR Art. 30(1)(d)',
    title: 'Recipients besides those that Velum sends to',
  },
  transfers: {
    source: 'GDPR Art. 30(1)(e) and 49(1)',
    title: 'Transfers to third countries, and their safeguards',
  },
  backup_location: {
    source: 'GDPR Art. 30(1)(e)',
    title: 'Country and keeper of the backups',
  },
  restore_drill: {
    source: 'GDPR Art. 32(1)(c) and (d)',
    title: 'When a restore from backup was last tried, and how it went',
  },
} as const satisfies Readonly<Record<string, FactKind>>;

export type FactName = keyof typeof FACT_KINDS;

export const FACT_NAMES = Object.keys(FACT_KINDS).filter(isFactName);

export function isFactName(text: string): text is FactName {
  return Object.hasOwn(FACT_KINDS, text);
}
