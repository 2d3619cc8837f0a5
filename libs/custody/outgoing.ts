import type { Duplex } from 'node:stream';
import type { MessageWriter } from './wire/codec.js';
import { ConnectionBroken, writeEnd, writeFrame, writeMessage } from './wire/frames.js';

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

/** The input of one call. It can be sent again, over another connection. */
export class Outgoing {
  /** What went wrong on this side: there is no more to be sent. */
  fault: { readonly error: unknown } | undefined;
  /** Those that were sent, should they have to be once more. */
  private readonly known: MessageWriter[];
  private readonly following: AsyncIterator<MessageWriter> | undefined;
  private next: Promise<MessageWriter | undefined> | undefined;

  /** `following`: each is sent as soon as it is there. */
  constructor(first: MessageWriter, following?: AsyncIterable<MessageWriter>) {
    this.known = [first];
    this.following = following?.[Symbol.asyncIterator]();
  }

  /** Resolves when all of it is on its way; throws ConnectionBroken, or what the making of a message threw. */
  async send(name: string, connection: Duplex, patience: Patience): Promise<void> {
    const closed = Promise.withResolvers<never>();
    closed.promise.catch(() => undefined);
    const fail = (): void => closed.reject(new ConnectionBroken());
    connection.once('close', fail);
    try {
      connection.cork();
      writeFrame(connection, Buffer.from(name));
      for (let nth = 0; ; nth++) {
        const message = this.known[nth] ?? (await this.takeNext(patience, closed.promise));
        if (message === undefined) break;
        const written = writeMessage(connection, message);
        // The name and what is known from the beginning, at once.
        if (nth === 0) connection.uncork();
        await Promise.race([written, closed.promise]);
      }
      writeEnd(connection);
    } finally {
      connection.off('close', fail);
    }
  }

  /** Nothing is sent any more. */
  end(): void {
    this.following?.return?.().catch(() => undefined);
  }

  /** Undefined after the last. */
  private async takeNext(patience: Patience, closed: Promise<never>): Promise<MessageWriter | undefined> {
    if (this.following === undefined) return undefined;
    patience.end();
    try {
      return await Promise.race([(this.next ??= this.madeNext(this.following)), closed]);
    } finally {
      patience.begin();
    }
  }

  /** Once for all connections over which it is to be sent. */
  private async madeNext(following: AsyncIterator<MessageWriter>): Promise<MessageWriter | undefined> {
    try {
      const { value: message, done } = await following.next();
      if (done === true) return undefined;
      this.known.push(message);
      this.next = undefined;
      return message;
    } catch (error) {
      this.fault = { error };
      throw error;
    }
  }
}

export async function* encoded<Part>(
  encodePart: (part: Part) => MessageWriter,
  parts: AsyncIterable<Part>,
): AsyncGenerator<MessageWriter> {
  for await (const part of parts) yield encodePart(part);
}
