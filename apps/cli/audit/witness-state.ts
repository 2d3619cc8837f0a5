import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CannotAudit } from './cannot-audit.js';

/** The last checkpoint that a witness cosigned, in a file that one process at a time reads and replaces. */
export class WitnessState {
  private replaced = false;

  private constructor(
    private readonly path: string,
    private readonly next: FileHandle,
  ) {}

  /** Two that read one state could cosign two logs: the file to come is there before the present one is read. */
  static async locked(path: string): Promise<WitnessState> {
    try {
      return new WitnessState(path, await open(`${path}.new`, 'wx', 0o600));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      throw new CannotAudit(
        `${path}.new is there: another audit cosign is at work, or one was killed; if none is, remove it. Not cosigned.`,
      );
    }
  }

  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** On the disk, name and all, when it is done. */
  async remember(note: string): Promise<void> {
    await this.next.writeFile(note);
    await this.next.sync();
    await rename(`${this.path}.new`, this.path);
    this.replaced = true;
    const folder = await open(dirname(this.path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async unlock(): Promise<void> {
    await this.next.close();
    if (!this.replaced) await rm(`${this.path}.new`);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
