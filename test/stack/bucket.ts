import S3rver from '@20minutes/s3rver';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesBelow } from './plaintext.js';

const NAME = 'backups';
const OBJECT = '._S3rver_object';

/** An S3 server on this machine, apart from every installation; its only credential is S3RVER. */
export class Bucket {
  private constructor(
    private readonly server: S3rver,
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async open(folder: string): Promise<Bucket> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const server = new S3rver({
      directory: folder,
      address: '0.0.0.0',
      port: 0,
      silent: true,
      // It signs the path of a bucket without the slash with which the SDK sends it.
      allowMismatchedSignatures: true,
      configureBuckets: [{ name: NAME }],
    });
    const { port } = await server.run();
    return new Bucket(server, folder, port);
  }

  readonly target = `s3://${NAME}/velum`;

  /** Of the objects below the target. */
  names(): string[] {
    const root = join(this.folder, NAME, 'velum');
    return this.objects().map((path) => path.slice(root.length + 1, -OBJECT.length));
  }

  /** As an operator downloads it. */
  copyTo(folder: string): void {
    const root = join(this.folder, NAME, 'velum');
    for (const path of this.objects()) {
      const copy = join(folder, path.slice(root.length + 1, -OBJECT.length));
      mkdirSync(dirname(copy), { recursive: true });
      cpSync(path, copy);
    }
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private objects(): string[] {
    return filesBelow(this.folder)
      .filter((path) => path.endsWith(OBJECT))
      .sort();
  }
}
