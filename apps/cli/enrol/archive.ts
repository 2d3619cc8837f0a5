import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type Readable, PassThrough } from 'node:stream';
import { ZipFile } from 'yazl';
import { CannotEnrol } from './cannot-enrol.js';
import type { Listing } from './listing.js';
import { writeManifest } from './manifest-file.js';

/** Photographs hardly shrink. The time is the earliest that a ZIP knows, in whatever time zone. */
const ENTRY = { compress: false, mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100600 };

export interface Archive {
  readonly bytes: number;
  readonly stream: Readable;
}

/**
 * The upload, made while it is sent: the same folder gives the same bytes, which is what lets a second try count as the
 * first. Files have numbers as names, so that no name of theirs is one that a ZIP or the manifest cannot hold.
 */
export async function archiveOf({ folder, people, sizes }: Listing): Promise<Archive> {
  const zip = new ZipFile();
  const stream = new PassThrough();
  zip.outputStream.pipe(stream);
  zip.on('error', () => {
    stream.destroy(
      new CannotEnrol(
        'A photograph changed or could not be read while it was uploaded. Try again with --resume.',
      ),
    );
  });
  const names = new Map<string, string>();
  const archived = (file: string): string => {
    const name = names.get(file) ?? `photographs/${names.size + 1}`;
    names.set(file, name);
    return name;
  };
  zip.addBuffer(Buffer.from(writeManifest(people, archived)), 'manifest.csv', ENTRY);
  for (const [file, size] of sizes) {
    // Opened in its turn: a hundred thousand open files would be too many.
    zip.addReadStreamLazy(archived(file), { ...ENTRY, size }, (callback) => {
      callback(
        null,
        createReadStream(join(folder, file)).once('error', (error) => zip.emit('error', error)),
      );
    });
  }
  const bytes = await new Promise<number>((resolve) => {
    // ZIP64 always: of a directory above 64 KiB yazl 3.3.1 announces the size with it, and then leaves it out.
    const options = { forceZip64Format: true, comment: '' };
    zip.end(options, (...[total = 0]: number[]) => resolve(total));
  });
  return { bytes, stream };
}
