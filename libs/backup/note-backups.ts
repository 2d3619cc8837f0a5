import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { findBackup, listIds } from './manifest.js';
import { openStore } from './open-store.js';

/**
 * Writes down what there is where the backups are, for processes that cannot look: the worker alone may (docs/adr/0035).
 * Throws, and changes nothing, if it cannot see.
 */
export class NoteBackups extends Command<void> {}

@CommandHandler(NoteBackups)
export class NoteBackupsHandler implements ICommandHandler<NoteBackups> {
  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute(): Promise<void> {
    const { backup, secrets } = this.config;
    if (backup === undefined) {
      await this.db.query('DELETE FROM backup_sighting');
      return;
    }
    const { target, keepLogDays } = backup;
    const store = openStore(target);
    const none = (await listIds(store)).length === 0;
    const newest = none ? null : (await findBackup(store, 'latest', secrets.dbEncryptionKeys)).takenAt;
    await this.db.query(
      `INSERT INTO backup_sighting (target, region, newest_at, keep_log_days) VALUES ($1, $2, $3, $4)
       ON CONFLICT (one) DO UPDATE SET target = $1, region = $2, newest_at = $3, keep_log_days = $4, looked_at = now()`,
      [target.kind, target.kind === 's3' ? target.region : null, newest, keepLogDays],
    );
  }
}
