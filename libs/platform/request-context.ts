import { AsyncLocalStorage } from 'node:async_hooks';
import type { ClientId, OfficerId, SessionId } from './ids.js';

/** Who asks and from where, for logs and audit records; the address is already hashed. */
export interface RequestContext {
  readonly requestId: string;
  readonly ipHash?: string;
  clientId?: ClientId;
  /** A person: who acts in the admin endpoints, and not for a client. */
  officerId?: OfficerId;
  /** Of the officer. */
  sessionId?: SessionId;
  /** What the token allows. */
  scopes?: readonly string[];
  /** Of the audit entries that were written for this request: 16 bytes of each commitment. They name no one. */
  readonly receipts?: string[];
  /** Of the problem that is answered. */
  code?: string;
  /** An earlier answer is given once more (Idempotency-Key): nothing is decided. */
  replayed?: boolean;
}

const storage = new AsyncLocalStorage<RequestContext>();

export function runInContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

export function currentContext(): RequestContext | undefined {
  return storage.getStore();
}
