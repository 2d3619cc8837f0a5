import { hashAddress } from '#platform/address-hash';
import type { Config } from '#platform/config';
import { type RequestContext, runInContext } from '#platform/request-context';
import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { Histogram } from 'prom-client';
import { v7 } from 'uuid';

const logger = new Logger('http');
const requestSeconds = new Histogram({
  name: 'velum_http_request_seconds',
  help: 'How long a request took, until its answer was handed over',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});
const ACCEPTED_ID = /^[\w.-]{8,64}$/;

/** Gives each request its id and the hash of its address, and logs one line when it is answered. */
export function requestContext(config: Config) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && ACCEPTED_ID.test(given) ? given : v7();
    const ipHash = hashAddress(config.secrets.ipHashSalt, request.ip ?? '');
    const started = performance.now();
    response.setHeader('X-Request-Id', requestId);
    const receipts: string[] = [];
    const context: RequestContext = { requestId, ipHash, receipts };
    runInContext(context, () => {
      response.on('finish', () => {
        const { method } = request;
        // The pattern and not the path: ids of persons stay out of the log, and the metrics few.
        const route = routeOf(request);
        const { statusCode: status } = response;
        const durationMs = performance.now() - started;
        logger.log({
          message: 'answered',
          method,
          route,
          status,
          durationMs: Math.round(durationMs),
          ...(context.code !== undefined && { code: context.code }),
          ...(context.replayed === true && { replayed: true }),
          // What the log was given for this answer: `velum audit reconcile` looks each up among the leaves.
          ...(receipts.length > 0 && { receipts: receipts.join(' ') }),
        });
        requestSeconds.observe({ method, route, status }, durationMs / 1_000);
      });
      next();
    });
  };
}

function routeOf(request: Request): string {
  const route: unknown = request.route;
  return typeof route === 'object' && route !== null && 'path' in route ? String(route.path) : 'unknown';
}
