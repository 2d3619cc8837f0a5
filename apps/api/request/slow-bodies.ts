import type { NextFunction, Request, Response } from 'express';
import type { Server } from 'node:http';

/** Of a connection on which nothing comes or goes. */
const LONGEST_SILENCE_MS = 60_000;

/** Of any body but the input of a bulk job: Node's own default for all requests. */
const LONGEST_BODY_MS = 300_000;

/** For whoever was answered before all of the body had come, to read the answer. */
const LINGER_MS = 5_000;

export const JOB_ROUTE = /^\/v1\/galleries\/[^/]+\/jobs\/?$/;

/**
 * An upload of gigabytes may take hours as long as it goes on; whoever sends another body slowly is cut off, and so is
 * whoever goes on sending what was refused.
 */
export function limitSlowBodies(request: Request, response: Response, next: NextFunction): void {
  if (!JOB_ROUTE.test(request.path)) {
    const timer = setTimeout(() => {
      if (!request.complete) request.destroy();
    }, LONGEST_BODY_MS);
    timer.unref();
    request.once('close', () => clearTimeout(timer));
  }
  response.once('finish', () => {
    if (!request.complete) setTimeout(() => request.destroy(), LINGER_MS).unref();
  });
  next();
}

/** The server's part of it. */
export function letUploadsLast(server: Server): void {
  server.requestTimeout = 0;
  server.timeout = LONGEST_SILENCE_MS;
}
