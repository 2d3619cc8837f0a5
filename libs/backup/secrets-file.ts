import { SECRET_NAMES } from '#platform/secrets';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decrypt, encrypt } from './age-file.js';
import { CannotBackUp } from './cannot-back-up.js';
import { collect, once } from './internal/streams.js';

/** The secrets of an installation, by name. */
export type SecretTexts = Readonly<Record<string, string>>;

/** A JSON object in an age file, so that the program `age` opens it where there is no Velum. */
export function sealSecrets(secrets: SecretTexts, recipients: readonly string[]): AsyncGenerator<Uint8Array> {
  return encrypt(once(`${JSON.stringify(secrets, null, 2)}\n`), recipients);
}

/** Never writes over a file. */
export async function writeSecrets(
  path: string,
  secrets: SecretTexts,
  recipients: readonly string[],
): Promise<void> {
  const sealed = await collect(sealSecrets(secrets, recipients));
  const file = await open(path, 'wx', 0o600).catch(refuseExisting);
  await file.writeFile(sealed);
  await file.sync();
  await file.close();
}

/** Puts each secret into a file of its own, for `SECRETS_DIR`; answers their names. Never writes over one. */
export async function openSecrets(
  source: AsyncIterable<Uint8Array>,
  identities: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  const secrets: SecretTexts = JSON.parse((await collect(decrypt(source, identities))).toString());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const known = SECRET_NAMES.filter((name) => secrets[name] !== undefined);
  for (const name of known) {
    await writeFile(join(folder, name), `${secrets[name]}\n`, { mode: 0o600, flag: 'wx' }).catch(
      refuseExisting,
    );
  }
  return known;
}

function refuseExisting(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
    throw new CannotBackUp('A file of that name is there already: name another place.');
  }
  throw error;
}
