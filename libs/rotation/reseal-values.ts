import { AuditLog } from '#audit/audit-log';
import type { Keyring } from '#platform/keyring';
import { countSealed, underOldKeys } from '#platform/sealed-columns';
import { KEYRING, SealedValues } from '#platform/sealed-values';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, type EntityManager } from 'typeorm';

/**
 * Puts everything under the key that encrypts, while the secret holds another; answers how many values it was. What was
 * done stays done if the process dies, and the next one goes on.
 */
export class ResealValues extends Command<number> {}

@CommandHandler(ResealValues)
export class ResealValuesHandler implements ICommandHandler<ResealValues> {
  constructor(
    private readonly db: DataSource,
    private readonly values: SealedValues,
    private readonly audit: AuditLog,
    @Inject(KEYRING) private readonly keyring: Keyring,
  ) {}

  async execute(): Promise<number> {
    await this.register();
    await this.db.transaction((tx) => this.recordCustody(tx));
    // What is under a key that the secret does not hold cannot be opened.
    if (this.keyring.keyIds.length < 2 || !(await this.isNewest())) return 0;
    const total = await this.values.reseal((tx, values) => this.note(tx, values));
    await this.db.transaction((tx) => this.conclude(tx));
    return total;
  }

  /** In the order in which they came; of several that come at once the old one is that which has the values. */
  private async register(): Promise<void> {
    const { keyIds } = this.keyring;
    const known = await this.db.query<{ key_id: string }[]>('SELECT key_id FROM key_rotation');
    const fresh = keyIds.filter((id) => !known.some(({ key_id }) => key_id === id));
    if (fresh.length === 0) return;
    const counts = fresh.length === 1 ? [] : await countSealed(this.db.manager);
    const valuesOf = (id: string): number =>
      counts.filter(({ keyId }) => keyId === id).reduce((sum, { values }) => sum + values, 0);
    for (const id of fresh.toSorted((a, b) => valuesOf(b) - valuesOf(a))) {
      await this.db.query('INSERT INTO key_rotation (key_id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
    }
  }

  /** During a deploy a worker still runs whose current key is the old one: it must not undo what the new one does. */
  private async isNewest(): Promise<boolean> {
    const [newest] = await this.db.query<{ key_id: string }[]>(
      'SELECT key_id FROM key_rotation WHERE key_id = ANY($1) ORDER BY place DESC LIMIT 1',
      [this.keyring.keyIds],
    );
    return newest?.key_id === this.keyring.currentKeyId;
  }

  private async note(tx: EntityManager, values: number): Promise<void> {
    await tx.query('UPDATE key_rotation SET resealed = resealed + $2, ended_at = NULL WHERE key_id = $1', [
      this.keyring.currentKeyId,
      values,
    ]);
  }

  /** Once: of several workers one finds the row without an end. */
  private async conclude(tx: EntityManager): Promise<void> {
    const { currentKeyId: keyId } = this.keyring;
    const [open] = await tx.query<{ resealed: string }[]>(
      'SELECT resealed FROM key_rotation WHERE key_id = $1 AND ended_at IS NULL AND resealed > 0 FOR UPDATE',
      [keyId],
    );
    if (open === undefined) return;
    if (underOldKeys(await countSealed(tx), keyId) > 0) return;
    await tx.query('UPDATE key_rotation SET ended_at = now() WHERE key_id = $1', [keyId]);
    const details = { keyId, values: Number(open.resealed) };
    await this.audit.append(tx, { type: 'encryption_key.rotated', outcome: 'ok', details });
  }

  /** The custodian puts its own secrets under its own keys, and has no right to the audit log. */
  private async recordCustody(tx: EntityManager): Promise<void> {
    const ended = await tx.query<{ key_id: string; resealed: string }[]>(
      `INSERT INTO key_rotation AS r (key_id, resealed, ended_at)
       SELECT key_id, resealed, ended_at FROM wrapping_keys() WHERE resealed > 0 AND ended_at IS NOT NULL
       ON CONFLICT (key_id) DO UPDATE SET resealed = excluded.resealed, ended_at = excluded.ended_at
         WHERE r.resealed < excluded.resealed
       RETURNING key_id, resealed`,
    );
    for (const { key_id: keyId, resealed } of ended) {
      const details = { keyId, values: Number(resealed) };
      await this.audit.append(tx, { type: 'encryption_key.rotated', outcome: 'ok', details });
    }
  }
}
