import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import { type Observable, of } from 'rxjs';

/**
 * For a GET that notes who was shown what. RFC 9110 section 9.3.2: the answer to HEAD, which Express has GET's handler give,
 * shows nothing, so nothing may be noted; header fields that only the content tells may be left out.
 */
@Injectable()
export class HeadReadsNothing implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method } = context.switchToHttp().getRequest<Request>();
    return method === 'HEAD' ? of(undefined) : next.handle();
  }
}
