import type { CustodianCallName } from '#custody/wire/custodian-calls';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { peerOf } from './peer.js';

/** Roles of the database; the internal authority gives each a certificate of that name. */
const API = 'velum_app';
const WORKER = 'velum_worker';

/**
 * Calls of the worker's alone. A comparison tells exact scores, and whoever compares rows of its own making with those of a
 * gallery learns its templates: an API that is taken over is not to be able to.
 */
const OF_THE_WORKER: ReadonlySet<string> = new Set<CustodianCallName>([
  'comparePairs',
  'beginRotation',
  'reseal',
  'destroySegments',
  'retire',
]);

/** Of those whom the authority knows, only api and worker may ask: TLS itself has checked who signed. */
@Injectable()
export class PeerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const caller = peerOf(request);
    return caller === WORKER || (caller === API && !OF_THE_WORKER.has(String(request.params['name'])));
  }
}
