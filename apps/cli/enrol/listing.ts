import { createHash } from 'node:crypto';
import { existsSync, type Stats, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { CannotEnrol } from './cannot-enrol.js';
import { readManifest } from './manifest-file.js';
import type { Person, Skipped } from './person.js';
import { peopleOf } from './person-folders.js';

// What a job takes at the most (libs/jobs); a gigabyte sent in vain would tell it later.
const MOST_PEOPLE = 200_000;
const MOST_BYTES = 4 * 2 ** 30;

/** What a folder says: an item of the job for each person, in the same order. */
export interface Listing {
  readonly folder: string;
  readonly people: readonly Person[];
  /** Bytes of each photograph that is there. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly skipped: readonly Skipped[];
  /** SHA-256, hex, of all that is uploaded, as far as names, sizes and times tell. */
  readonly digest: string;
}

/** A folder with a manifest.csv, or one folder a person. Throws CannotEnrol if there is nothing to enrol. */
export function readListing(folder: string): Listing {
  if (!(statOf(folder)?.isDirectory() ?? false)) throw new CannotEnrol(`There is no folder ${folder}.`);
  const manifest = join(folder, 'manifest.csv');
  const { people, skipped } = existsSync(manifest)
    ? { people: readManifest(manifest), skipped: [] }
    : peopleOf(folder);
  if (people.length === 0) {
    throw new CannotEnrol(
      `${folder} has neither a manifest.csv nor folders with photographs: one folder a person, named as your reference of that person.`,
    );
  }
  const hash = createHash('sha256').update(JSON.stringify(people));
  const sizes = new Map<string, number>();
  let bytes = 0;
  for (const file of people.flatMap(({ files }) => files)) {
    if (sizes.has(file)) continue;
    refuseOutside(folder, file);
    const stats = statOf(join(folder, file));
    // The server says of each file that is missing whom it keeps from being enrolled.
    if (stats === undefined || !stats.isFile()) continue;
    sizes.set(file, stats.size);
    bytes += stats.size;
    hash.update(JSON.stringify([file, stats.size, stats.mtimeMs]));
  }
  if (people.length > MOST_PEOPLE || bytes > MOST_BYTES) {
    throw new CannotEnrol(
      `${folder} holds ${people.length} people and ${(bytes / 2 ** 30).toFixed(1)} GiB. A job takes at most 200,000 people and 4 GiB: part the folder among several.`,
    );
  }
  return { folder, people, sizes, skipped, digest: hash.digest('hex') };
}

/** A manifest that somebody else wrote must not make this machine's other files leave it. */
function refuseOutside(folder: string, file: string): void {
  const path = join(folder, file);
  if (path.startsWith(folder + sep) && basename(path) !== '') return;
  throw new CannotEnrol(`manifest.csv names a file outside of ${folder}.`);
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
