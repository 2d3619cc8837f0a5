import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

const peers = new WeakMap<TLSSocket, string>();

/** The name in the certificate of whoever asks, whom TLS itself has checked; undefined if there is none. */
export function peerOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const peer = peers.get(socket) ?? socket.getPeerCertificate().subject.CN;
  if (typeof peer !== 'string') return undefined;
  peers.set(socket, peer);
  return peer;
}
