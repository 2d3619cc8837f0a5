import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { uploadedPhotos } from './photo-upload.interceptor.js';

/** The files of a multipart request. */
export const UploadedPhotos = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  uploadedPhotos(context.switchToHttp().getRequest<Request>()),
);
