import { JobInputCutOff } from '#jobs/jobs.errors';
import type { Request } from 'express';
import { on } from 'node:events';

/**
 * The body in the pieces that Node made of it, for whoever overwrites them when they are stored: a request's own iterator joins
 * what waits and leaves the pieces behind. Whoever stops reading refuses: the connection lives on for the answer.
 */
export async function* piecesOf(request: Request): AsyncGenerator<Buffer> {
  // It tells nobody any more that it is over.
  if (request.destroyed) throw new JobInputCutOff();
  const events = on(request, 'data', { close: ['end', 'close'], highWaterMark: 1, lowWaterMark: 1 });
  try {
    for await (const [piece] of events) if (Buffer.isBuffer(piece)) yield piece;
  } finally {
    request.pause();
  }
}
