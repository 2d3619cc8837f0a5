/** Ids of the examples in the OpenAPI document: one story told throughout. */
export const EXAMPLE = {
  clientId: '019ac5c0-1f4e-7c52-9a40-5d0a3c1f7a01',
  galleryId: '019ac5c0-2b6a-7f10-8c3d-1e2f4a5b6c02',
  subjectId: '019ac5c0-3c11-7a2e-b1d4-6f7e8d9c0a03',
  noticeId: '019ac5c0-4d22-7b3f-92e5-7a8b9c0d1e04',
  consentId: '019ac5c0-5e33-7c40-a3f6-8b9c0d1e2f05',
  templateId: '019ac5c0-6f44-7d51-b407-9c0d1e2f3a06',
  requestId: '019ac5c0-7055-7e62-8518-0d1e2f3a4b07',
  jobId: '019ac5c0-8166-7f73-9629-1e2f3a4b5c08',
  webhookId: '019ac5c0-9277-7084-8a3a-2f3a4b5c6d09',
  deliveryId: '019ac5c0-a388-7195-9b4b-3a4b5c6d7e0a',
  eventId: '019ac5c0-b499-72a6-8c5c-4b5c6d7e8f0b',
  caseId: '019ac5c0-c5ab-73b7-9d6d-5c6d7e8f9a1c',
  rotationId: '019ac5c0-f8dd-76ea-80a0-8f90a1b2c30f',
  holdId: '019ac5c0-c5aa-73b7-8d6d-5c6d7e8f900c',
  officerId: '019ac5c0-c5aa-73b7-9d6d-5c6d7e8f9a0c',
  proposalId: '019ac5c0-d6bb-74c8-8e7e-6d7e8f9a0b0d',
  email: 'meera@example.in',
  password: 'violet tram under glass',
  enrolmentCode: 'enrolment-code-from-the-operator-0123456789',
  sessionToken: 'session-token-of-the-last-answer-0123456789',
  totpSecret: 'KVKFKRCPNZQUYMLXOVYDSQKJKZDTSRLD',
  totp: '492039',
  recoveryCode: 'K5XG-2YLS-MFZG-C3TF-OJQW-4ZDP',
  incidentId: '019ac5c0-c5aa-73b7-9d6d-5c6d7e8f900c',
  dutyId: '019ac5c0-d6bb-74c8-ae7e-6d7e8f90a10d',
  affectedId: '019ac5c0-e7cc-75d9-bf8f-7e8f90a1b20e',
  expiry: '2036-11-23T00:00:00.000Z',
  time: '2026-11-23T10:15:30.000Z',
} as const;

/** 128 numbers that work in the explorer: a client that brings its own embeddings sends its model's instead. */
export const EXAMPLE_EMBEDDING = Array.from(
  { length: 128 },
  (_, i) => Math.round(Math.sin(i + 1) * 1e4) / 1e4,
);

/** A line of a bulk job's NDJSON. */
export const EXAMPLE_INPUT = `${JSON.stringify({ subjectId: EXAMPLE.subjectId, embedding: EXAMPLE_EMBEDDING })}\n`;
