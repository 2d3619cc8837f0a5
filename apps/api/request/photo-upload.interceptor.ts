import { wipeSample } from '#biometrics/biometric-sample';
import { ImageTooLarge } from '#biometrics/biometrics.errors';
import { takeEmbedding } from '#biometrics/embedding-text';
import { LARGEST_IMAGE_BYTES } from '#faces/image-limits';
import { InvalidRequest } from '#platform/platform.errors';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import express, { type Request, type RequestHandler, type Response } from 'express';
import multer from 'multer';
import { finalize, type Observable } from 'rxjs';
import { UnsupportedMediaType } from '../problem/http.errors.js';
import { takePhotos } from './photo-text.js';
import { WipedFiles } from './wiped-files.js';

/** For the members beside the photographs, such as an embedding of 2,048 numbers. */
const OTHER_BYTES = 100_000;

/** What a request brings of a face beside what its JSON says; overwritten when it is over. */
export interface Uploads {
  /** The files of a multipart request, in their order. */
  readonly files: Uint8Array<ArrayBuffer>[];
  /** Taken out of a JSON body, which then has an empty text for each. */
  photos?: readonly Uint8Array<ArrayBuffer>[] | undefined;
  /** Taken out of a JSON body, which then says that it is empty. */
  embedding?: Float64Array<ArrayBuffer> | undefined;
}

const uploads = new WeakMap<object, Uploads>();

export function uploadsOf(request: object): Uploads {
  const known = uploads.get(request) ?? { files: [] };
  uploads.set(request, known);
  return known;
}

/**
 * Reads the large bodies of calls that bring up to `most` photographs. As an interceptor it runs after the guards:
 * nobody without a token and a scope makes the server hold megabytes.
 */
@Injectable()
export class PhotoUploadInterceptor implements NestInterceptor {
  private readonly readJson: RequestHandler;
  private readonly readForm: RequestHandler;

  constructor(private readonly most: number) {
    // Base64 takes four bytes for three.
    this.readJson = express.json({
      limit: (most * LARGEST_IMAGE_BYTES * 4) / 3 + OTHER_BYTES,
      verify: (request, _response, body) => {
        const taken = uploadsOf(request);
        taken.embedding = takeEmbedding(body);
        taken.photos = takePhotos(body, LARGEST_IMAGE_BYTES);
      },
    });
    this.readForm = multer({
      storage: new WipedFiles((request) => {
        const { files } = uploadsOf(request);
        const place = files.push(new Uint8Array()) - 1;
        return (file) => {
          files[place] = file;
        };
      }),
      limits: {
        fileSize: LARGEST_IMAGE_BYTES,
        files: most,
        fields: 10,
        fieldSize: OTHER_BYTES,
        parts: most + 10,
      },
    }).any();
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    try {
      if (request.is('multipart/form-data')) await this.read(this.readForm, request, response);
      else if (request.is('json')) await this.read(this.readJson, request, response);
      else throw new UnsupportedMediaType();
    } catch (error) {
      wipe(request);
      throw error;
    }
    return next.handle().pipe(finalize(() => wipe(request)));
  }

  private read(handler: RequestHandler, request: Request, response: Response): Promise<void> {
    const pieces: Buffer[] = [];
    let over = false;
    return new Promise((resolve, reject) => {
      const done = (error?: unknown): void => {
        over = true;
        for (const piece of pieces) piece.fill(0);
        if (error === undefined) resolve();
        else reject(this.refusal(error));
      };
      void handler(request, response, done);
      // What came from the socket is copied by then: Node does not use it again, and does not overwrite it either.
      request.on('data', (piece: Buffer) => {
        if (over) piece.fill(0);
        else pieces.push(piece);
      });
    });
  }

  private refusal(error: unknown): Error {
    if (error instanceof multer.MulterError && error.code === 'LIMIT_FILE_SIZE') return new ImageTooLarge();
    if (error instanceof multer.MulterError && error.code === 'LIMIT_FILE_COUNT') {
      return new InvalidRequest([{ field: 'photos', message: `must be at most ${this.most}` }]);
    }
    return error instanceof Error ? error : new Error('the body could not be read');
  }
}

function wipe(request: Request): void {
  const { files, photos = [], embedding } = uploadsOf(request);
  wipeSample({ photos: [...files, ...photos] });
  if (embedding !== undefined) wipeSample({ embedding });
}
