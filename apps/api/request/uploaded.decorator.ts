import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { uploadsOf } from './photo-upload.interceptor.js';

/** What PhotoUploadInterceptor took out of the body. */
export const Uploaded = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  uploadsOf(context.switchToHttp().getRequest<Request>()),
);
