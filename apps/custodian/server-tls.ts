import { readTlsFiles, type TlsFiles } from '#platform/custodian-config';
import { Logger } from '@nestjs/common';
import { watchFile } from 'node:fs';
import type { Server } from 'node:tls';

/** How soon a renewed certificate counts. */
const LOOKED_AT_MS = 2_000;

interface MutualTls {
  readonly requestCert: true;
  readonly rejectUnauthorized: true;
  readonly minVersion: 'TLSv1.3';
}

/** Mutual TLS: whoever has no certificate of the internal authority gets no connection. */
export function serverTls(files: TlsFiles): ReturnType<typeof readTlsFiles> & MutualTls {
  return { ...readTlsFiles(files), requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' };
}

/** Takes renewed certificates for new connections. */
export function renewTls(server: Server, files: TlsFiles): void {
  const logger = new Logger('custodian');
  const renew = (): void => {
    try {
      server.setSecureContext(serverTls(files));
    } catch {
      // A certificate whose key is still to be written: the key's own change comes next.
      logger.warn({ message: 'certificate and key do not belong together yet' });
    }
  };
  for (const path of [files.ca, files.cert, files.key]) {
    watchFile(path, { interval: LOOKED_AT_MS, persistent: false }, renew);
  }
}
