import type { Request } from 'express';
import type { StorageEngine } from 'multer';

type Stored = Parameters<StorageEngine['_handleFile']>[2];

/** Keeps the files of a form in memory of their own, each where `keep` puts it, and overwrites what they came in. */
export class WipedFiles implements StorageEngine {
  /** `keep` is called as each file begins, and answers where to put it. */
  constructor(private readonly keep: (request: Request) => (file: Uint8Array<ArrayBuffer>) => void) {}

  _handleFile(request: Request, { stream }: Express.Multer.File, stored: Stored): void {
    const put = this.keep(request);
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('end', () => {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const file = new Uint8Array(size);
      let at = 0;
      for (const piece of pieces) {
        file.set(piece, at);
        at += piece.length;
      }
      put(file);
      stored(null, { size });
    });
    // After the end, and where a connection is lost as well.
    stream.once('close', () => {
      for (const piece of pieces) piece.fill(0);
    });
  }

  /** Whoever keeps them overwrites them, also of a request that fails. */
  _removeFile(_request: Request, _file: Express.Multer.File, removed: (error: Error | null) => void): void {
    removed(null);
  }
}
