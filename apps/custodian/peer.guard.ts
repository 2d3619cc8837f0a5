import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { TLSSocket } from 'node:tls';

/** Roles of the database; the internal authority gives each a certificate of that name. */
const CALLERS = new Set(['velum_app', 'velum_worker']);

/** Of those whom the authority knows, only api and worker may ask: TLS itself has checked who signed. */
@Injectable()
export class PeerGuard implements CanActivate {
  private readonly admitted = new WeakSet<TLSSocket>();

  canActivate(context: ExecutionContext): boolean {
    const { socket } = context.switchToHttp().getRequest<Request>();
    if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
    if (this.admitted.has(socket)) return true;
    const { CN } = socket.getPeerCertificate().subject;
    if (typeof CN !== 'string' || !CALLERS.has(CN)) return false;
    this.admitted.add(socket);
    return true;
  }
}
