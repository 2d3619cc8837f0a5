import type { IdempotentRequest } from '#platform/idempotency';
import { IdempotencyKeyInvalid } from '#platform/platform.errors';
import { currentContext } from '#platform/request-context';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { createHash } from 'node:crypto';
import { uploadsOf } from './photo-upload.interceptor.js';

/** The Idempotency-Key of the request, if it has one, with the fingerprint of what was sent. */
export const IdempotencyKey = createParamDecorator(
  (_data: unknown, context: ExecutionContext): IdempotentRequest | undefined => {
    const request = context.switchToHttp().getRequest<Request>();
    const key = request.headers['idempotency-key'];
    const { clientId, officerId } = currentContext() ?? {};
    const holderId = clientId ?? officerId;
    if (key === undefined || holderId === undefined) return undefined;
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) throw new IdempotencyKeyInvalid();
    return { holderId, key, fingerprint: fingerprint(request) };
  },
);

export const ApiIdempotencyKey = (): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'A key of your own, for example a UUID: the request is carried out once, however often it is sent.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    }),
  );

function fingerprint(request: Request): Buffer {
  const hash = createHash('sha256').update(`${request.method} ${request.originalUrl}\n`);
  hash.update(JSON.stringify(request.body ?? null));
  const { files, photos = [], embedding } = uploadsOf(request);
  if (embedding !== undefined) hash.update(new Uint8Array(embedding.buffer));
  for (const photo of [...files, ...photos]) hash.update(createHash('sha256').update(photo).digest());
  return hash.digest();
}
