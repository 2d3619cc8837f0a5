import { parseIdentities } from '#backup/age-file';
import { CannotBackUp } from '#backup/cannot-back-up';
import { Option } from 'commander';
import { readFileSync } from 'node:fs';

/** The private key comes from wherever it is kept, for as long as the command takes. */
export function identityOption(): Option {
  return new Option('--identity <file>', 'with the private key, - for standard input').env(
    'BACKUP_IDENTITY_FILE',
  );
}

export function readIdentities(file: string | undefined): readonly string[] {
  if (file === undefined) return [];
  const identities = parseIdentities(textOf(file));
  if (identities.length === 0) throw new CannotBackUp('--identity holds no AGE-SECRET-KEY-1… line.');
  return identities;
}

export function requireIdentities(file: string | undefined): readonly string[] {
  if (file === undefined) throw new CannotBackUp('Say where the private key is: --identity FILE.');
  return readIdentities(file);
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch {
    throw new CannotBackUp('--identity cannot be read: is it there, and may this command read it?');
  }
}
