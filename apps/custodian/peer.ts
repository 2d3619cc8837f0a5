import type { CustodianCallName } from '#custody/wire/custodian-calls';
import type { TLSSocket } from 'node:tls';

/** Roles of the database; the internal authority gives each a certificate of that name. */
const API = 'velum_app';
const WORKER = 'velum_worker';

/**
 * Calls of the worker's alone. A comparison tells exact scores, and whoever compares rows of its own making with those of a
 * gallery learns its templates: an API that is taken over is not to be able to.
 */
const OF_THE_WORKER: ReadonlySet<CustodianCallName> = new Set<CustodianCallName>([
  'comparePairs',
  'beginRotation',
  'reseal',
  'destroySegments',
  'retire',
]);

/** The name in the certificate of whoever asks, whom TLS itself has checked; undefined if there is none. */
export function peerOf(socket: TLSSocket): string | undefined {
  const name: unknown = socket.authorized ? socket.getPeerCertificate().subject.CN : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Of those whom the authority knows, only API and worker may ask. */
export function mayAsk(peer: string | undefined): boolean {
  return peer === WORKER || peer === API;
}

export function mayCall(peer: string | undefined, name: CustodianCallName): boolean {
  return peer === WORKER || (peer === API && !OF_THE_WORKER.has(name));
}
