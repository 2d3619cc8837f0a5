import { readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import { connect, type TLSSocket } from 'node:tls';
import { ConnectionBroken, IncomingFrames } from './wire/frames.js';

/** Answers small and at once, requests in few writes: nothing is to wait for more. */
const NO_DELAY = true;

export interface CustodianSocket {
  readonly socket: TLSSocket;
  readonly frames: IncomingFrames;
  /** A call went over it before: the other side may have ended it since. */
  reused: boolean;
}

/** Connections to the custodian's process, one call at a time over each. */
export class CustodianSockets {
  private readonly idle: CustodianSocket[] = [];

  constructor(
    private readonly url: URL,
    private readonly files: TlsFiles,
  ) {}

  /** The one that was used last, or another; rejects with the reason of `signal` once that is aborted. */
  async take(signal: AbortSignal): Promise<CustodianSocket> {
    const used = this.idle.pop();
    if (used === undefined) return this.open(signal);
    used.socket.ref();
    used.reused = true;
    return used;
  }

  /** For another call: the answer to the last one has come whole. */
  give(connection: CustodianSocket): void {
    if (connection.socket.destroyed) return;
    connection.socket.unref();
    this.idle.push(connection);
  }

  close(): void {
    for (const { socket } of this.idle) socket.destroy();
  }

  /** Reads certificates for each connection, so that a renewed one counts at once. */
  private async open(signal: AbortSignal): Promise<CustodianSocket> {
    const { hostname, port } = this.url;
    const socket = connect({
      host: hostname,
      port: Number(port),
      servername: hostname,
      minVersion: 'TLSv1.3',
      ...readTlsFiles(this.files),
    });
    const secured = Promise.withResolvers<void>();
    const abort = (): void => void socket.destroy(new ConnectionBroken('it takes too long'));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('secureConnect', secured.resolve).once('close', () => secured.reject(new ConnectionBroken()));
    socket.on('error', secured.reject);
    try {
      await secured.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    const connection = {
      socket: socket.setNoDelay(NO_DELAY),
      frames: new IncomingFrames(socket),
      reused: false,
    };
    socket.once('close', () => {
      const place = this.idle.indexOf(connection);
      if (place >= 0) this.idle.splice(place, 1);
    });
    return connection;
  }
}
