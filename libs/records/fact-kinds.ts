/** What each fact must be known of: one of the installation answers for every client, one of a client for its purposes. */
type About = 'installation' | 'client' | 'purpose';

export interface FactKind {
  readonly about: About;
  readonly source: string;
  readonly title: string;
}

/** What no software can know of the processing it is used for: people say it, or it is an open item. */
export const FACT_KINDS = {
  operator_name: {
    about: 'installation',
    source: 'GDPR Art. 30(1)(a) and (2)(a)',
    title: 'Name of the operator of this installation',
  },
  operator_contact: {
    about: 'installation',
    source: 'GDPR Art. 30(1)(a) and (2)(a)',
    title: 'Contact of the operator',
  },
  operator_role: {
    about: 'client',
    source: 'GDPR Art. 4(7), 4(8) and 28',
    title: 'Whether the operator is controller or processor for the client',
  },
  controller_name: { about: 'client', source: 'GDPR Art. 30(1)(a)', title: 'Name of the controller' },
  controller_contact: { about: 'client', source: 'GDPR Art. 30(1)(a)', title: 'Contact of the controller' },
  representative: {
    about: 'client',
    source: 'GDPR Art. 27 and 30(1)(a)',
    title: 'Representative of the controller, or that none is needed',
  },
  dpo_contact: {
    about: 'client',
    source: 'GDPR Art. 37(7); DPDP Act section 8(9)',
    title: 'Data protection officer, or who answers for the processing',
  },
  legal_basis: { about: 'purpose', source: 'GDPR Art. 6(1) and 9(2)', title: 'Legal basis' },
  necessity: {
    about: 'purpose',
    source: 'GDPR Art. 35(7)(b)',
    title: 'Why the processing is necessary and proportionate',
  },
  other_recipients: {
    about: 'purpose',
    source: 'GDPR Art. 30(1)(d)',
    title: 'Recipients besides those that Velum sends to',
  },
  transfers: {
    about: 'installation',
    source: 'GDPR Art. 30(1)(e) and 49(1)',
    title: 'Transfers to third countries, and their safeguards',
  },
  backup_location: {
    about: 'installation',
    source: 'GDPR Art. 30(1)(e)',
    title: 'Country and keeper of the backups',
  },
} as const satisfies Readonly<Record<string, FactKind>>;

export type FactName = keyof typeof FACT_KINDS;

export const FACT_NAMES = Object.keys(FACT_KINDS).filter(isFactName);

export function isFactName(text: string): text is FactName {
  return Object.hasOwn(FACT_KINDS, text);
}
