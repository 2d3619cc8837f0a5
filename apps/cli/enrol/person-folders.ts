import { MOST_PHOTOS } from '#biometrics/biometric-sample';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Person, Skipped } from './person.js';

const PHOTOGRAPH = /\.(jpe?g|png|webp)$/i;

/** One folder a person, whose name is the person's reference. What is hidden is not looked at. */
export function peopleOf(folder: string): { people: Person[]; skipped: Skipped[] } {
  const people: Person[] = [];
  const skipped: Skipped[] = [];
  for (const name of namesIn(folder)) {
    const files = filesIn(join(folder, name));
    if (files === undefined) {
      skipped.push({ file: name, reason: 'not in a folder of a person' });
      continue;
    }
    const photographs = files.filter((file) => PHOTOGRAPH.test(file)).map((file) => `${name}/${file}`);
    for (const file of files) {
      if (!PHOTOGRAPH.test(file)) skipped.push({ file: `${name}/${file}`, reason: 'no .jpg, .png or .webp' });
    }
    for (const file of photographs.splice(MOST_PHOTOS)) {
      skipped.push({ file, reason: `more than ${MOST_PHOTOS} photographs of one person` });
    }
    if (photographs.length === 0) skipped.push({ file: `${name}/`, reason: 'no photographs' });
    // macOS parts letters from their accents in names; a reference is found in one form only.
    else people.push({ reference: name.normalize('NFC'), files: photographs });
  }
  return { people, skipped };
}

/** Sorted by code units, which no locale changes: the same folder is the same upload everywhere. */
function namesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort();
}

/** Undefined of what is no folder. */
function filesIn(path: string): string[] | undefined {
  try {
    return namesIn(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}
