import type { Request } from 'express';

/** Express answers HEAD by what answers GET. */
export function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}
