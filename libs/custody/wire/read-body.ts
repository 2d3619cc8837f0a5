import { giveBack } from '#homomorphic/give-back';
import type { IncomingMessage } from 'node:http';
import { MalformedMessage } from './codec.js';

/** Of one message: the scores of 30 million rows, or all rows of two segments at 2,048 dimensions. */
const MOST_BYTES = 2 ** 27;

/** Throws MalformedMessage if the message does not say how long its body is, or that is too long. */
export function bodyLength(message: IncomingMessage): number {
  const length = Number(message.headers['content-length']);
  if (!Number.isInteger(length) || length < 0 || length > MOST_BYTES)
    throw new MalformedMessage('a body that does not say its length, or is too long');
  return length;
}

/** The body of a request or an answer, in memory of its own: the caller can give it back. */
export async function readBody(message: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const body = Buffer.from(new ArrayBuffer(bodyLength(message)));
  return new Promise<Buffer<ArrayBuffer>>((resolve, reject) => {
    let at = 0;
    message.on('data', (chunk: Buffer) => {
      body.set(chunk, at);
      at += chunk.length;
      // Templates on their way to be sealed are among them.
      giveBack(chunk);
    });
    message.once('end', () => resolve(body));
    message.once('error', reject);
    message.once('close', () => reject(new MalformedMessage('a body that ends too early')));
  }).catch((error: unknown) => {
    giveBack(body);
    throw error;
  });
}
