/** Messages of the outbox on their way to the command that carries them out. */
export const MESSAGES = 'velum-messages';

/** What recurs, once however many workers there are. */
export const RECURRING = 'velum-recurring';

export interface MessageJob {
  readonly id: string;
}
