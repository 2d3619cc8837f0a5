import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0027-signed-statements.md, docs/adr/0028-itemised-notices.md. */
export class ConsentLifecycle1763900000016 implements MigrationInterface {
  readonly name = 'ConsentLifecycle1763900000016';
  readonly harmless = COUNTS_MORE;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE statement_key (
        id uuid PRIMARY KEY,
        kid text NOT NULL UNIQUE,
        public_jwk jsonb NOT NULL,
        -- What was signed is checked with the public key; a retired one signs nothing any more.
        private_key bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        retired_at timestamptz,
        CHECK ((private_key IS NULL) = (retired_at IS NOT NULL))
      );
      CREATE UNIQUE INDEX statement_key_one_signs ON statement_key ((retired_at IS NULL)) WHERE retired_at IS NULL;
      GRANT SELECT, INSERT, UPDATE (private_key, retired_at) ON statement_key TO velum_app;
      GRANT SELECT, INSERT, UPDATE (private_key) ON statement_key TO velum_worker;


      -- From when on a person who is a minor decides alone. Nothing else is known of an age.
      ALTER TABLE subject ADD adult_from date;
      GRANT UPDATE (adult_from) ON subject TO velum_app, velum_worker;

      ALTER TABLE notice
        -- Of the array that was hashed: libs/consent/notice-hash.ts.
        ADD format integer NOT NULL DEFAULT 1 CHECK (format IN (1, 2)),
        ADD items jsonb,
        ADD jurisdiction text,
        ADD renew_by timestamptz,
        ADD previous_hash bytea;

      ALTER TABLE consent ADD refused boolean NOT NULL DEFAULT false;
      GRANT UPDATE (notice_id, expires_at) ON consent TO velum_app;

      ALTER TABLE consent_fact
        DROP CONSTRAINT consent_fact_kind_check,
        ADD CONSTRAINT consent_fact_kind_check
          CHECK (kind IN ('granted', 'renewed', 'refused', 'withdrawn', 'expired')),
        -- Evidence (GDPR Art. 7(1)): under which notice, how, by whom. Null where nobody said so.
        ADD notice_id uuid REFERENCES notice,
        ADD expires_at timestamptz,
        ADD method text CHECK (method IN ('checkbox', 'button', 'signature', 'written_release', 'spoken', 'other')),
        ADD evidence_hash bytea CHECK (length(evidence_hash) = 32),
        ADD guardian_relationship text CHECK (guardian_relationship IN ('parent', 'legal_guardian', 'representative')),
        ADD guardian_verified_by text
          CHECK (guardian_verified_by IN ('known_details', 'identity_document', 'virtual_token'));
    `);
    await countSealed(runner, 'statement_key', ['private_key']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'statement_key', ['private_key']);
    await runner.query(`
      ALTER TABLE consent_fact
        DROP COLUMN notice_id, DROP COLUMN expires_at, DROP COLUMN method, DROP COLUMN evidence_hash,
        DROP COLUMN guardian_relationship, DROP COLUMN guardian_verified_by;
      REVOKE UPDATE (notice_id, expires_at) ON consent FROM velum_app;
      ALTER TABLE consent DROP COLUMN refused;
      ALTER TABLE notice
        DROP COLUMN format, DROP COLUMN items, DROP COLUMN jurisdiction, DROP COLUMN renew_by, DROP COLUMN previous_hash;
      ALTER TABLE subject DROP COLUMN adult_from;
      DROP TABLE statement_key;
    `);
  }
}
