import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * docs/adr/0025-forgetting-in-the-audit-log.md: what an erasure forgets includes that another was refused.
 * docs/adr/0033-incidents-and-detectors.md: what a detector has counted, told by places in the log, which come in the order
 * of the commits.
 */
export class RefusedErasures1763900000037 implements MigrationInterface {
  readonly name = 'RefusedErasures1763900000037';
  readonly harmless = {
    'public.forget_audit_entries(erased uuid, record uuid, OUT entries integer, OUT digest text)':
      'it forgets one kind of entry more of the same person, which the version before does not write',
  };

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(forgetting(`type <> 'subject.erased' OR outcome <> 'ok'`));
    await runner.query(`
      ALTER TABLE incident ADD counted_to bigint;
      CREATE FUNCTION count_audited_after(which text, leaf bigint, since timestamptz,
          OUT entries bigint, OUT counted_to bigint)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
          SELECT count(*), max(l.leaf_index) FROM public.audit_event e JOIN public.audit_leaf l ON l.event_id = e.id
          WHERE e.type = which AND e.id >= public.first_audit_id(since) AND (leaf IS NULL OR l.leaf_index > leaf)
        $$;
      REVOKE ALL ON FUNCTION count_audited_after(text, bigint, timestamptz) FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION count_audited_after(text, bigint, timestamptz) TO velum_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION count_audited_after(text, bigint, timestamptz);
      ALTER TABLE incident DROP counted_to;
    `);
    await runner.query(forgetting(`type <> 'subject.erased'`));
  }
}

/** As migration 14 has it, but for which entries go. */
function forgetting(which: string): string {
  return `
    CREATE OR REPLACE FUNCTION forget_audit_entries(erased uuid, record uuid, OUT entries integer, OUT digest text)
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
      DECLARE ids uuid[]; gone bytea[];
      BEGIN
        IF NOT EXISTS (SELECT FROM public.subject WHERE id = erased AND erased_at IS NOT NULL) THEN
          RAISE EXCEPTION 'the subject is not erased';
        END IF;
        WITH removed AS (
          DELETE FROM public.audit_event WHERE subject_id = erased AND (${which}) RETURNING id, commitment)
        SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(commitment) FILTER (WHERE commitment IS NOT NULL), '{}')
          INTO ids, gone FROM removed;
        -- What nothing was committed to gets no leaf. Pending before leaf: the sequencer may move some between the two.
        DELETE FROM public.audit_pending WHERE event_id = ANY (ids) AND commitment IS NULL;
        UPDATE public.audit_pending SET event_id = NULL WHERE event_id = ANY (ids);
        UPDATE public.audit_leaf SET event_id = NULL WHERE event_id = ANY (ids);
        INSERT INTO public.audit_forgotten (commitment, record_id) SELECT unnest(gone), record
          -- A commitment that was written once more, after it was forgotten: the verifier's business, no reason not to erase.
          ON CONFLICT DO NOTHING;
        entries := cardinality(gone);
        SELECT encode(sha256(coalesce(string_agg(c, ''::bytea ORDER BY c), ''::bytea)), 'hex') INTO digest
          FROM unnest(gone) AS c;
      END $$;
  `;
}
