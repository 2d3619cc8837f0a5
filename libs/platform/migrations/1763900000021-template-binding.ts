import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COUNTS_MORE, countSealed, countSealedNoMore } from './sealed-values.js';

/** docs/adr/0034-templates-are-bound-to-their-consent.md */
export class TemplateBinding1763900000021 implements MigrationInterface {
  readonly name = 'TemplateBinding1763900000021';
  readonly harmless = COUNTS_MORE;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Under db_encryption_key. Null: made by the version before, which binds nothing; a worker makes one.
      ALTER TABLE gallery ADD binding_key bytea;
      ALTER TABLE template ADD binding bytea CHECK (octet_length(binding) = 32);
      CREATE INDEX template_unbound ON template (id) WHERE binding IS NULL;
      -- Rows that stand where nobody enrolled them, each made known once.
      CREATE TABLE broken_binding (
        template_id uuid PRIMARY KEY REFERENCES template ON DELETE CASCADE,
        found_at timestamptz NOT NULL DEFAULT now()
      );
      GRANT SELECT, INSERT ON broken_binding TO velum_app, velum_worker;
      GRANT UPDATE (binding) ON template TO velum_worker;
      GRANT UPDATE (binding_key) ON gallery TO velum_worker;

      -- The version before enrolled without binding, and recorded it. What was bound once is never taken for that again.
      CREATE FUNCTION unbound_in_audit_log(gallery uuid, templates uuid[], subjects uuid[], consents uuid[])
        RETURNS SETOF uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT t.id FROM unnest(templates, subjects, consents) AS t (id, subject_id, consent_id)
          WHERE EXISTS (SELECT FROM public.audit_event e WHERE e.subject_id = t.subject_id AND e.gallery_id = gallery
              AND e.type = 'template.enrolled' AND e.outcome = 'ok' AND e.details->>'bound' IS DISTINCT FROM 'true'
              AND e.details->>'templateId' = t.id::text AND e.details->>'consentId' = t.consent_id::text)
            AND NOT EXISTS (SELECT FROM public.audit_event e WHERE e.subject_id = t.subject_id
              AND e.type = 'template.bound' AND e.details->>'templateId' = t.id::text)
        $$;
      REVOKE ALL ON FUNCTION unbound_in_audit_log(uuid, uuid[], uuid[], uuid[]) FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION unbound_in_audit_log(uuid, uuid[], uuid[], uuid[]) TO velum_app, velum_worker;

    `);
    await countSealed(runner, 'gallery', ['binding_key']);
  }

  async down(runner: QueryRunner): Promise<void> {
    await countSealedNoMore(runner, 'gallery', ['binding_key']);
    await runner.query(`
      DROP FUNCTION unbound_in_audit_log(uuid, uuid[], uuid[], uuid[]);
      DROP TABLE broken_binding;
      ALTER TABLE template DROP COLUMN binding;
      ALTER TABLE gallery DROP COLUMN binding_key;
    `);
  }
}
