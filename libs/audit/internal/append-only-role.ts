import { ConfigurationError } from '#platform/config';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';

const FORBIDDEN = 'UPDATE, DELETE, TRUNCATE, TRIGGER';

/** A process whose database role could rewrite the audit log does not start. */
@Injectable()
export class AppendOnlyRole implements OnModuleInit {
  constructor(private readonly db: DataSource) {}

  async onModuleInit(): Promise<void> {
    const [found] = await this.db.query<{ migrated: boolean; may: boolean | null }[]>(
      `SELECT to_regclass('audit_event') IS NOT NULL AS migrated,
              has_table_privilege(to_regclass('audit_event'), $1) AS may`,
      [FORBIDDEN],
    );
    if (found?.migrated !== true) {
      throw new ConfigurationError(
        'Velum cannot start: the database is not migrated. Run: node dist/apps/cli/main.js migrate',
      );
    }
    if (found.may !== false) {
      throw new ConfigurationError(
        'Velum cannot start: its database role may change the audit log. Use velum_app and velum_worker, not the owner.',
      );
    }
  }
}
