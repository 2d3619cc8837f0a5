import { isOver, type JobView } from '#jobs/job';
import type { GroupResult, ItemResult } from '#jobs/read-results';
import type { MessageEvent } from '@nestjs/common';

/** `undefined` in place of a job: nothing changed, but the connection lives. */
export async function* eventsOf(jobs: AsyncIterable<JobView | undefined>): AsyncGenerator<MessageEvent> {
  for await (const job of jobs) {
    if (job === undefined) yield { type: 'heartbeat', data: '' };
    else yield { type: 'progress', data: job };
    if (job !== undefined && isOver(job.state)) yield { type: 'end', data: job };
  }
}

export async function* linesOf(
  batches: AsyncIterable<readonly (ItemResult | GroupResult)[]>,
): AsyncGenerator<string> {
  for await (const results of batches) yield results.map((each) => `${JSON.stringify(each)}\n`).join('');
}
