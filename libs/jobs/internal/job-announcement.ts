import type { WebhookEvent } from '#webhooks/webhook';
import type { JobView } from '../job.js';

const EVENT_TYPES = { ended: 'job.ended', failed: 'job.failed', cancelled: 'job.cancelled' } as const;

/** What webhooks are told of a job that is over. */
export function announcementOf({ id: jobId, endedAt: at, ...job }: JobView): WebhookEvent {
  const { galleryId, type, state, code, total, done, refused, failed } = job;
  if (state === 'received' || state === 'running' || at === null) throw new Error('the job is not over');
  const data = { jobId, galleryId, type, state, code, total, done, refused, failed };
  return { type: EVENT_TYPES[state], at, data };
}
