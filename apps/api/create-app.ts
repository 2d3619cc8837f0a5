import { FacePool } from '#faces/face-pool';
import type { Config } from '#platform/config';
import { createAppLogger } from '#platform/logging';
import { wipeSockets } from '#platform/wiped-sockets';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express from 'express';
import helmet from 'helmet';
import { ApiModule } from './api.module.js';
import { serveOpenApi } from './openapi/document.js';
import { requestContext } from './request/request-context.middleware.js';
import { JOB_ROUTE, letUploadsLast, limitSlowBodies } from './request/slow-bodies.js';

const SMALL_BODY = '100kb';

/** The API as it is served: middleware, modules and documentation, ready to listen. */
export async function createApp(config: Config): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(ApiModule.forRoot(config), {
    logger: createAppLogger(config.logLevel),
    bodyParser: false,
    abortOnError: false,
  });
  app.set('trust proxy', config.trustedProxies.length > 0 ? [...config.trustedProxies] : false);
  app.set('query parser', 'simple');
  app.disable('x-powered-by');
  app.use(requestContext(config));
  app.use(limitSlowBodies);
  letUploadsLast(app.getHttpServer());
  wipeSockets(app.getHttpServer());
  app.use(helmet({ contentSecurityPolicy: { directives: CONTENT_SECURITY } }));
  app.enableCors({
    origin: [...config.corsOrigins],
    exposedHeaders: ['RateLimit', 'RateLimit-Policy', 'X-Request-Id'],
  });
  // Photographs are read behind the guards, by PhotoUploadInterceptor, and so are the inputs of jobs.
  app.use(unlessLarge(express.json({ limit: SMALL_BODY })));
  app.use('/oauth', express.urlencoded({ limit: SMALL_BODY, extended: false }));
  serveOpenApi(app);
  app.get(FacePool).start();
  return app;
}

// Swagger UI styles its elements inline and embeds its icons.
const CONTENT_SECURITY = {
  defaultSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  scriptSrc: ["'self'"],
  upgradeInsecureRequests: null,
};

const PHOTO_ROUTES = /^\/v1\/galleries\/[^/]+\/(identify|subjects\/[^/]+\/(verify|templates))\/?$/;

function unlessLarge(parser: express.RequestHandler): express.RequestHandler {
  return (request, response, next) => {
    if (PHOTO_ROUTES.test(request.path) || JOB_ROUTE.test(request.path)) next();
    else void parser(request, response, next);
  };
}
