import { hashAddress } from '#platform/address-hash';
import type { Config } from '#platform/config';
import { runInContext } from '#platform/request-context';
import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { v7 } from 'uuid';

const logger = new Logger('http');
const ACCEPTED_ID = /^[\w.-]{8,64}$/;

/** Gives each request its id and the hash of its address, and logs one line when it is answered. */
export function requestContext(config: Config) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && ACCEPTED_ID.test(given) ? given : v7();
    const ipHash = hashAddress(config.secrets.ipHashSalt, request.ip ?? '');
    const started = performance.now();
    response.setHeader('X-Request-Id', requestId);
    runInContext({ requestId, ipHash }, () => {
      response.on('finish', () => {
        logger.log({
          message: 'answered',
          method: request.method,
          // The pattern and not the path: ids of persons stay out of the log.
          route: routeOf(request),
          status: response.statusCode,
          durationMs: Math.round(performance.now() - started),
        });
      });
      next();
    });
  };
}

function routeOf(request: Request): string {
  const route: unknown = request.route;
  return typeof route === 'object' && route !== null && 'path' in route ? String(route.path) : 'unknown';
}
