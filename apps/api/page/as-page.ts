import type { Representation } from '../request/representations.js';
import { PAGE_SECURITY } from './page.js';

/** A readable page of an answer. */
export function asPage<T>(write: (answer: T) => string): Representation<T> {
  const headers = { 'Content-Security-Policy': PAGE_SECURITY, 'Cache-Control': 'no-store' };
  return { format: 'html', type: 'text/html; charset=utf-8', headers, write };
}
