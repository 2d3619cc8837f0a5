import { ImageTooLarge } from '#biometrics/biometrics.errors';
import { LARGEST_IMAGE_BYTES } from '#faces/image-limits';
import { MOST_PHOTOS } from '#biometrics/biometric-sample';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import express, { type Request, type RequestHandler, type Response } from 'express';
import multer from 'multer';
import type { Observable } from 'rxjs';
import { UnsupportedMediaType } from '../problem/http.errors.js';

const readJson = express.json({ limit: '70mb' });
const readForm = multer({
  storage: multer.memoryStorage(),
  limits: { fileSize: LARGEST_IMAGE_BYTES, files: MOST_PHOTOS, fields: 10, fieldSize: 100_000, parts: 20 },
}).any();

/**
 * Reads the large bodies of calls that bring photographs. As an interceptor it runs after the guards: nobody without
 * a token and a scope makes the server hold megabytes.
 */
@Injectable()
export class PhotoUploadInterceptor implements NestInterceptor {
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    if (request.is('multipart/form-data')) await read(readForm, request, response);
    else if (request.is('json')) await read(readJson, request, response);
    else throw new UnsupportedMediaType();
    return next.handle();
  }
}

/** The files of a multipart request, in their order. */
export function uploadedPhotos(request: Request): Uint8Array<ArrayBuffer>[] {
  // A copy: multer's Buffers may share memory, and what is handed to a worker must not.
  return Array.isArray(request.files) ? request.files.map((file) => new Uint8Array(file.buffer)) : [];
}

function read(handler: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown): void => {
      if (error === undefined) resolve();
      else if (isFileTooLarge(error)) reject(new ImageTooLarge());
      else reject(error instanceof Error ? error : new Error('the body could not be read'));
    };
    void handler(request, response, done);
  });
}

function isFileTooLarge(error: unknown): boolean {
  return error instanceof multer.MulterError && error.code === 'LIMIT_FILE_SIZE';
}
