/** Says all that any of the jurisdictions asks for. */
export const NOTICE = {
  language: 'en',
  title: 'Doors',
  items: {
    purpose: 'Opening the doors of the building.',
    data: 'We keep a template.',
    service: 'Access without a card.',
    retention: 'Until you withdraw.',
    withdrawal: 'In the app, as easily as you agree.',
    complaint: 'To the authority.',
    rights: 'Access, correction, erasure.',
    controller: 'Example Ltd.',
  },
} as const;

/** How a person agreed. */
export const EVIDENCE = { method: 'checkbox' } as const;
