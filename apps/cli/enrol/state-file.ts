import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CannotEnrol } from './cannot-enrol.js';

const NAME = '.velum-enrol';

/** What --resume must know. Nothing in it is secret. */
export interface EnrolState {
  readonly version: 1;
  readonly startedAt: string;
  readonly galleryId: string;
  readonly noticeId?: string;
  /** The Idempotency-Key of the upload. */
  readonly key: string;
  /** Of the listing when the upload began. */
  readonly digest: string;
  readonly registered: boolean;
  /** Once the upload was acknowledged. */
  readonly jobId?: string;
}

/** `.velum-enrol.json` in the folder, or beside it where the folder cannot be written. */
export class StateFile {
  private readonly inside: string;
  private readonly beside: string;

  constructor(private readonly folder: string) {
    this.inside = join(folder, `${NAME}.json`);
    this.beside = join(dirname(folder), `${NAME}-${basename(folder)}.json`);
  }

  read(): EnrolState | undefined {
    const path = [this.inside, this.beside].find((each) => existsSync(each));
    if (path === undefined) return undefined;
    try {
      const state: EnrolState = JSON.parse(readFileSync(path, 'utf8'));
      if (state.version === 1) return state;
    } catch {
      // Told below.
    }
    throw new CannotEnrol(`${path} cannot be read. If no enrolment of this folder is going on, delete it.`);
  }

  /** On the disk before it returns: a key that is lost would make the next try another job. */
  save(state: EnrolState): void {
    const path = canWrite(this.folder) ? this.inside : this.beside;
    const draft = `${path}.new`;
    try {
      const file = openSync(draft, 'w', 0o600);
      writeSync(file, `${JSON.stringify(state, undefined, 2)}\n`);
      fsyncSync(file);
      closeSync(file);
      renameSync(draft, path);
    } catch {
      throw new CannotEnrol(`${path} cannot be written: what --resume needs is kept there.`);
    }
  }

  remove(): void {
    for (const path of [this.inside, this.beside]) rmSync(path, { force: true });
  }
}

function canWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
