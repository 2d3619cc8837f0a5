/** Messages of the outbox on their way to the command that carries them out. */
export const MESSAGES = 'velum-messages';

/** What recurs, once however many workers there are. */
export const RECURRING = 'velum-recurring';

/** Bulk jobs: inputs to read, chunks of items to carry out. */
export const JOBS = 'velum-jobs';

/** Deliveries to webhooks that are due. */
export const WEBHOOKS = 'velum-webhooks';

export interface MessageJob {
  readonly id: string;
}

/** Ids only: what is to be done is read from PostgreSQL, since who can write to Redis is no client. */
export interface WorkJob {
  readonly jobId: string;
  /** Undefined: the input is to be read. */
  readonly chunk?: number;
}

export interface DeliveryJob {
  readonly deliveryId: string;
}
