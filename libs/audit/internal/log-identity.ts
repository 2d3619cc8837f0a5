import type { Config } from '#platform/config';
import type { EntityManager } from 'typeorm';
import { type Checkpoint, ED25519, parseVkey, trustedCheckpoint, vkeyOf } from '../verifier/verify-audit.mjs';
import { CheckpointSigner, rawPublicKey } from './checkpoint-signer.js';

/**
 * Under which name the log signs. A database that was restored is set back, so another name: two checkpoints of one log
 * that contradict each other are proof of a forgery, and this one is in the open.
 */
export async function signerOf(tx: EntityManager, config: Config): Promise<CheckpointSigner> {
  const { auditSigningKey } = config.secrets;
  if (auditSigningKey === undefined) throw new Error('the secret audit_signing_key is missing');
  const [restored] = await tx.query<{ id: string | null }[]>('SELECT last_audited_restore() AS id');
  const id = restored?.id ?? null;
  return new CheckpointSigner(id === null ? config.auditOrigin : restoredOrigin(config, id), auditSigningKey);
}

/** The last checkpoint, if it is of this log by its name, and signed by our key or a former one. */
export function openOwn(
  note: string,
  { auditOrigin, auditFormerKeys, secrets }: Config,
): Checkpoint | undefined {
  const [origin = ''] = note.split('\n', 1);
  if (origin !== auditOrigin && !origin.startsWith(restoredOrigin({ auditOrigin }, ''))) return undefined;
  const own =
    secrets.auditSigningKey === undefined
      ? []
      : [vkeyOf(origin, ED25519, rawPublicKey(secrets.auditSigningKey))];
  const keys = [...own, ...auditFormerKeys].map(parseVkey);
  try {
    return trustedCheckpoint(note, { keys });
  } catch {
    return undefined;
  }
}

function restoredOrigin({ auditOrigin }: Pick<Config, 'auditOrigin'>, id: string): string {
  return `${auditOrigin}/restored-${id}`;
}
