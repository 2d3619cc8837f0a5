import { QueueView } from '#platform/queue-view';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Injectable } from '@nestjs/common';
import { type NextFunction, type Request, type Response, Router } from 'express';

export const QUEUE_BOARD = '/admin/queues';

/** The page would load a font from there: operators' browsers tell no third party where Velum runs. */
const FOREIGN_FONTS = /<link href="https:\/\/fonts\.googleapis\.com[^>]*>/;

/** bull-board over Velum's queues, to look at only. */
@Injectable()
export class QueueBoard {
  private readonly router = Router();

  constructor(view: QueueView) {
    const serverAdapter = new ExpressAdapter();
    serverAdapter.setBasePath(QUEUE_BOARD);
    createBullBoard({
      queues: view.queues.map((queue) => new ShownQueue(queue, { readOnlyMode: true })),
      serverAdapter,
      options: { uiConfig: { boardTitle: 'Velum queues', hideDocsLink: true } },
    });
    // On to our own filter: bull-board would answer the error's message.
    serverAdapter.setErrorHandler((error) => {
      throw error;
    });
    this.router.use(QUEUE_BOARD, serverAdapter.getRouter());
  }

  serve(request: Request, response: Response, next: NextFunction): void {
    // Log and metrics tell our route, not one inside bull-board.
    const route: unknown = request.route;
    response.prependOnceListener('finish', () => (request.route = route));
    const render = response.render.bind(response);
    response.render = (view: string, options?: object): void => {
      render(view, options, (error: Error | null, html: string) => {
        if (error === null) response.send(html.replace(FOREIGN_FONTS, ''));
        else next(error);
      });
    };
    this.router(request, response, next);
  }
}

type Job = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

/** Of an error, the places only: its message may quote a value. */
class ShownQueue extends BullMQAdapter {
  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job && withoutMessage(job);
  }

  override async getJobs(...wanted: Parameters<BullMQAdapter['getJobs']>): Promise<Job[]> {
    return (await super.getJobs(...wanted)).map(withoutMessage);
  }
}

function withoutMessage(job: Job): Job {
  const { failedReason, stacktrace } = job.toJSON();
  const failed = Boolean(failedReason) || (stacktrace ?? []).length > 0;
  if (!failed) return job;
  return Object.assign(job, {
    failedReason: 'see the log of the worker',
    stacktrace: (stacktrace ?? []).map((stack) =>
      stack
        .split('\n')
        .filter((line) => /^ {4}at /.test(line))
        .join('\n'),
    ),
  });
}
