/** How somebody said yes or no. */
export const CONSENT_METHODS = [
  'checkbox',
  'button',
  'signature',
  'written_release',
  'spoken',
  'other',
] as const;
export type ConsentMethod = (typeof CONSENT_METHODS)[number];

export const GUARDIAN_RELATIONSHIPS = ['parent', 'legal_guardian', 'representative'] as const;

/**
 * DPDP Rules, rule 10(1): details of identity and age that the client has already, that are brought along, or a virtual
 * token that is mapped to such details.
 */
export const GUARDIAN_CHECKS = ['known_details', 'identity_document', 'virtual_token'] as const;

/** Who decides for a person who may not. No name: what is shown is what was checked, and how. */
export interface Guardian {
  readonly relationship: (typeof GUARDIAN_RELATIONSHIPS)[number];
  readonly verifiedBy?: (typeof GUARDIAN_CHECKS)[number];
}

/** By which a client can show that a person decided so (GDPR Art. 7(1)). */
export interface Evidence {
  readonly method: ConsentMethod;
  /** Now, if nothing is said. */
  readonly at?: Date;
  /** SHA-256, hex, of a document that the client keeps. */
  readonly evidenceHash?: string;
  /** Of the person's device, as the client saw it; only its hash is kept. */
  readonly address?: string;
  readonly guardian?: Guardian;
}
