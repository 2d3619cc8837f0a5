/** GDPR Art. 11(2), 12(5), 12(6), 15(4), 17(3), 21(1); DPDP Act section 12(3). */
export const REFUSAL_REASONS = [
  'manifestly_unfounded',
  'excessive',
  'identity_not_established',
  'nothing_held',
  'legal_obligation',
  'legal_claims',
  'rights_of_others',
  'overriding_grounds',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** GDPR Art. 12(3). */
export const EXTENSION_REASONS = ['complexity', 'number_of_requests'] as const;
export type ExtensionReason = (typeof EXTENSION_REASONS)[number];

export type StepReason = RefusalReason | ExtensionReason;
