import type { ClientRequest } from 'node:http';
import type { MessageWriter } from './wire/codec.js';
import type { PartedCall } from './wire/custodian-calls.js';
import { LENGTH_BYTES } from './wire/read-body.js';

const PIECE_BYTES = 2 ** 17;

/** How long the custodian is waited for; what it waits for itself does not count. */
export class Patience {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly ms: number) {
    this.begin();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** From now on, all of it. */
  begin(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.controller.abort(), this.ms);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** What one call sends. It can be sent again, over another connection. */
export interface Outgoing {
  readonly headers: Readonly<Record<string, string | number>>;
  /** What went wrong on this side. */
  readonly fault: { readonly error: unknown } | undefined;
  send(asked: ClientRequest, patience: Patience): void;
  /** Nothing is sent any more. */
  end(): void;
}

export class WholeInput implements Outgoing {
  readonly fault = undefined;

  constructor(private readonly message: MessageWriter) {}

  get headers(): Outgoing['headers'] {
    return { 'Content-Length': this.message.length };
  }

  send(asked: ClientRequest): void {
    write(asked, this.message).then(
      () => asked.end(),
      // Whoever waits for the answer is told of it as well.
      () => undefined,
    );
  }

  end(): void {}
}

/** Messages, each behind its length and sent as soon as it is there. */
export class InputInParts implements Outgoing {
  readonly headers = { 'Transfer-Encoding': 'chunked' };
  fault: { readonly error: unknown } | undefined;
  /** Those that were sent, should they have to be once more. */
  private readonly known: MessageWriter[];
  private readonly following: AsyncIterator<MessageWriter>;
  private next: Promise<MessageWriter | undefined> | undefined;

  constructor(first: MessageWriter, following: AsyncIterable<MessageWriter>) {
    this.known = [first];
    this.following = following[Symbol.asyncIterator]();
  }

  send(asked: ClientRequest, patience: Patience): void {
    this.sendAll(asked, patience).catch(() => undefined);
  }

  end(): void {
    this.following.return?.().catch(() => undefined);
  }

  private async sendAll(asked: ClientRequest, patience: Patience): Promise<void> {
    for (let nth = 0; ; nth++) {
      const message = this.known[nth] ?? (await this.takeNext(asked, patience));
      if (message === undefined) break;
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(message.length);
      asked.cork();
      asked.write(length);
      const written = write(asked, message);
      asked.uncork();
      await written;
    }
    asked.end();
  }

  /** Undefined after the last. */
  private async takeNext(asked: ClientRequest, patience: Patience): Promise<MessageWriter | undefined> {
    patience.end();
    try {
      return await (this.next ??= this.madeNext());
    } catch (error) {
      this.fault = { error };
      asked.destroy(new Error('there is nothing more to send'));
      throw error;
    } finally {
      if (!asked.destroyed) patience.begin();
    }
  }

  /** Waited for by two where the request is sent again meanwhile. */
  private async madeNext(): Promise<MessageWriter | undefined> {
    const { value: message, done } = await this.following.next();
    if (done === true) return undefined;
    this.known.push(message);
    this.next = undefined;
    return message;
  }
}

export async function* encoded<Part>(
  { encodePart }: PartedCall<never, unknown, Part>,
  parts: AsyncIterable<Part>,
): AsyncGenerator<MessageWriter> {
  for await (const part of parts) yield encodePart(part);
}

/**
 * A piece at a time: what the other side decrypts meanwhile need not be encrypted before, and lies in memory once. Resolves
 * when all of it is on its way; rejects if the request ended before.
 */
async function write(asked: ClientRequest, message: MessageWriter): Promise<void> {
  const pieces = message.pieces(PIECE_BYTES);
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  const fail = (): void => closed.reject(new Error('the request ended'));
  asked.once('close', fail);
  try {
    for (const piece of pieces) {
      const sent = new Promise<void>((resolve, reject) => {
        asked.write(piece, (error) => (error === null || error === undefined ? resolve() : reject(error)));
      });
      await Promise.race([sent, closed.promise]);
    }
  } finally {
    pieces.return();
    asked.off('close', fail);
  }
}
