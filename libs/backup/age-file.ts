import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { BadBackup, CannotBackUp } from './cannot-back-up.js';

/**
 * The age format (age-encryption.org/v1): a key of its own for each file, wrapped for each recipient (X25519), and
 * chunks of 64 KiB that are authenticated one by one, the last one as the last. The program `age` reads them too.
 */
export async function* encrypt(
  plain: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  yield* await encrypter.encrypt(streamOf(plain));
}

/** Throws BadBackup if none of the identities opens it or a byte of it was changed; then what came before is void. */
export async function* decrypt(
  sealed: AsyncIterable<Uint8Array>,
  identities: readonly string[],
): AsyncGenerator<Uint8Array> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    yield* await decrypter.decrypt(streamOf(sealed));
  } catch (error) {
    // Of whatever feeds it: a program, a target.
    if (error instanceof CannotBackUp) throw error;
    if (error instanceof Error && /no identity matched/.test(error.message)) {
      throw new BadBackup(
        'The private key does not belong to this backup: none of its recipients is its owner.',
      );
    }
    throw new BadBackup('The file is not what was written: it was changed or cut off.');
  }
}

export interface KeyPair {
  readonly identity: string;
  readonly recipient: string;
}

export async function makeKeyPair(): Promise<KeyPair> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** The private keys in a file of age-keygen, whose other lines are comments. */
export function parseIdentities(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /^AGE-SECRET-KEY-1[0-9A-Z]+/.exec(line.trim())?.[0] ?? []);
}

export async function recipientsOf(identities: readonly string[]): Promise<readonly string[]> {
  return Promise.all(identities.map((identity) => identityToRecipient(identity)));
}

function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      // Buffers are views; the library keeps what it is given.
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await chunks.return?.();
    },
  });
}
