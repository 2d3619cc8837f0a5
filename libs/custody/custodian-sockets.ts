import { readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { ConnectionBroken, IncomingFrames } from './wire/frames.js';

/** What a URL without a port means. */
const HTTPS_PORT = 443;

/** Of an idle connection whose other end is gone without a word, it is told. */
const KEEP_ALIVE_MS = 1_000;

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

  /** Connections that nobody uses now: one that did not answer may be one of many. */
  dropIdle(): void {
    for (const { socket } of this.idle.splice(0)) socket.destroy();
  }

  /** Reads certificates for each connection, so that a renewed one counts at once. */
  private async open(signal: AbortSignal): Promise<CustodianSocket> {
    const host = this.url.hostname.replace(/^\[|\]$/g, '');
    const socket = connect({
      host,
      port: Number(this.url.port || HTTPS_PORT),
      // RFC 6066 section 3: a name, and no address.
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: 'TLSv1.3',
      ...readTlsFiles(this.files),
    });
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
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
      socket,
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
