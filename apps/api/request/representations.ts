import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiProduces } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { map, type Observable } from 'rxjs';

/** Another form of the answer than JSON. */
export interface Representation<T> {
  /** As `?format=` names it; a browser or a script may ask with Accept instead. */
  readonly format: string;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  write(answer: T): string;
}

class AsAsked<T> implements NestInterceptor<T, T | string> {
  constructor(private readonly other: Representation<T>) {}

  intercept(context: ExecutionContext, next: CallHandler<T>): Observable<T | string> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    response.vary('Accept');
    if (!this.isAsked(request)) return next.handle();
    return next.handle().pipe(
      map((answer) => {
        response.set({ 'Content-Type': this.other.type, ...this.other.headers });
        return this.other.write(answer);
      }),
    );
  }

  /** RFC 9110 section 12.5.1; without a preference the answer is JSON. */
  private isAsked(request: Request): boolean {
    const { format } = request.query;
    if (format !== undefined) return format === this.other.format;
    const [media = ''] = this.other.type.split(';');
    return request.accepts(['application/json', media]) === media;
  }
}

/** Answers JSON, or `other` to whoever asks for it. */
export function AlsoAs<T>(other: Representation<T>): MethodDecorator {
  const [media = ''] = other.type.split(';');
  return applyDecorators(ApiProduces('application/json', media), UseInterceptors(new AsAsked(other)));
}
