import { Injectable } from '@nestjs/common';
import argon2 from 'argon2';
import { randomBytes } from 'node:crypto';

// OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane.
const PARAMETERS = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Argon2 fills libuv's four threads with memory-bound work: two at a time leave room for files and images. */
const AT_ONCE = 2;

/** Secrets of clients (256 random bits) and passwords of officers, kept as Argon2id. */
@Injectable()
export class SecretHashes {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private decoy: Promise<string> | undefined;

  create(): string {
    return randomBytes(32).toString('base64url');
  }

  hash(secret: string): Promise<string> {
    return this.bounded(() => argon2.hash(secret, PARAMETERS));
  }

  /** For somebody unknown (`hash` undefined) it works as long and says no: the time tells nothing. */
  async verify(hash: string | undefined, secret: string): Promise<boolean> {
    this.decoy ??= this.hash(this.create());
    const against = hash ?? (await this.decoy);
    const right = await this.bounded(() => argon2.verify(against, secret));
    return right && hash !== undefined;
  }

  private async bounded<R>(work: () => Promise<R>): Promise<R> {
    if (this.running >= AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }
}
