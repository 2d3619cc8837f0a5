import { randomBytes, randomUUID } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';

/** What Node reads at once, for all connections of a thread into the same memory. */
const BLANKS = Buffer.alloc(65_536);

/** What it decrypts at once (RFC 8446 section 5.1: 2^14 bytes a record). */
const BLANK_RECORD = BLANKS.subarray(0, 2 ** 14);

/** So long the end of an upload may stay in that memory. */
const WIPED_AFTER_MS = 50;

/**
 * Overwrites what connections brought to an HTTP server. A piece is filled with zeros as soon as the parser has copied it; without
 * a listener the parser would read into a memory of its own, and keep it. What Node keeps itself: wipeReads.
 */
export function wipeSockets(server: HttpServer): void {
  const wipeAfterwards = wipingReads(false);
  server.on('connection', (socket) => {
    // The server's own listener, which parses, is there already.
    socket.on('data', (piece: Buffer) => {
      piece.fill(0);
      wipeAfterwards();
    });
  });
}

/**
 * Overwrites what Node keeps of what it read for a server of ours, which zeroes the pieces themselves: it reads all connections
 * into one memory, where the end of an upload stays until another brings as much; and what it has decrypted it leaves on its
 * stack (TLSWrap::ClearOut in src/crypto/crypto_tls.cc). So zeros are sent the same way.
 */
export function wipeReads(server: TlsServer): void {
  const wipeAfterwards = wipingReads(true);
  server.on('secureConnection', (socket) => socket.on('data', wipeAfterwards));
}

function wipingReads(encrypted: boolean): () => void {
  let through: Socket | undefined;
  let waiting = false;
  const blanks = encrypted ? BLANK_RECORD : BLANKS;
  void blankConnection(encrypted).then((socket) => {
    through = socket;
  });
  return () => {
    if (waiting) return;
    waiting = true;
    const timer = setTimeout(() => {
      waiting = false;
      through?.write(blanks);
    }, WIPED_AFTER_MS);
    timer.unref();
  };
}

/** A connection to this process itself, of which whatever is written to it is read and forgotten; elsewhere than on Linux none. */
function blankConnection(encrypted: boolean): Promise<Socket | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined);
  return new Promise((resolve) => {
    // An abstract socket (unix(7)): it needs no folder, and goes with the process.
    const path = `\0velum-${randomUUID()}`;
    const forget = (socket: Socket): void => {
      listener.close();
      socket.on('error', () => undefined).resume();
      socket.unref();
    };
    // A key that both have needs no certificate (RFC 4279).
    const psk = randomBytes(32);
    const tls = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
    const listener = encrypted
      ? createTlsServer({ ...tls, pskCallback: () => psk }, forget)
      : createServer(forget);
    listener.unref().listen({ path }, () => {
      const socket: Socket = encrypted
        ? connectTls(
            {
              ...tls,
              path,
              pskCallback: () => ({ psk, identity: 'velum' }),
              checkServerIdentity: () => undefined,
            },
            () => resolve(socket),
          )
        : connect({ path }, () => resolve(socket));
      socket.on('error', () => undefined).unref();
    });
  });
}
