/** Something that the message says how to mend, or that a witness must not sign. */
export class CannotAudit extends Error {
  override readonly name = 'CannotAudit';
}
