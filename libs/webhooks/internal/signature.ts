import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';

/** Standard Webhooks: 24 to 64 random bytes. */
const SECRET_BYTES = 32;

export function newSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;
}

export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970, of this sending. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers of https://www.standardwebhooks.com, by which a receiver knows who sent a message, and when. */
export function signatureHeaders(secret: string, message: SignedMessage): Record<string, string> {
  const { id, timestamp, body } = message;
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}
