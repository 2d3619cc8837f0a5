import type { ClientId } from '#platform/ids';
import { Policies, type Policy } from '#policy/policies';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** A client's use of a purpose, as its galleries, notices and consents show it. */
export interface PurposeUse {
  readonly clientId: ClientId;
  readonly purpose: string;
}

export interface GalleryUse extends PurposeUse {
  readonly galleryId: string;
  readonly name: string;
  readonly model: string;
  readonly dimension: number;
  readonly templates: number;
  /** In no search any more, and kept until their date. */
  readonly heldTemplates: number;
  readonly thresholdCosine: number;
  readonly targetFalseMatchRate: number | null;
  readonly disclosure: string;
  readonly presentationAttack: string;
}

export interface NoticeUse extends PurposeUse {
  readonly noticeId: string;
  readonly language: string;
  readonly version: number;
  readonly title: string;
  readonly itemised: boolean;
  /** The item that tells which data is kept. */
  readonly data: string | null;
}

export interface SubjectUse extends PurposeUse {
  readonly jurisdiction: string;
  readonly subjects: number;
}

export interface ClientUse {
  readonly clientId: ClientId;
  readonly name: string;
  readonly disabled: boolean;
  readonly withReference: number;
}

const CLIENTS = `SELECT id AS "clientId", name, disabled_at IS NOT NULL AS disabled,
    (SELECT count(*) FROM subject s WHERE s.client_id = client.id AND s.reference IS NOT NULL)::float8 AS "withReference"
  FROM client ORDER BY id`;

const PURPOSES = `SELECT client_id AS "clientId", purpose FROM gallery
  UNION SELECT client_id, purpose FROM notice
  UNION SELECT client_id, purpose FROM consent_version ORDER BY 1, 2`;

const GALLERIES = `SELECT g.client_id AS "clientId", g.purpose, g.id AS "galleryId", g.name, g.model, g.dimension,
    (SELECT count(*) FROM template t WHERE t.gallery_id = g.id)::float8 AS templates,
    (SELECT count(*) FROM held_template t WHERE t.gallery_id = g.id)::float8 AS "heldTemplates",
    g.threshold_cosine AS "thresholdCosine", g.target_false_match_rate AS "targetFalseMatchRate", g.disclosure,
    g.presentation_attack AS "presentationAttack"
  FROM gallery g ORDER BY g.id`;

const NOTICES = `SELECT DISTINCT ON (client_id, purpose, language) client_id AS "clientId", purpose, id AS "noticeId",
    language, version, title, coalesce(jsonb_typeof(to_jsonb(n) -> 'items') = 'object', false) AS itemised,
    to_jsonb(n) -> 'items' ->> 'data' AS data
  FROM notice n ORDER BY client_id, purpose, language, version DESC`;

const SUBJECTS = `SELECT c.client_id AS "clientId", c.purpose, s.jurisdiction, count(DISTINCT s.id)::float8 AS subjects
  FROM consent c JOIN subject s ON s.id = c.subject_id
  WHERE c.ended_at IS NULL OR EXISTS (SELECT FROM template t WHERE t.consent_id = c.id)
    OR c.id IN (SELECT consent_id FROM held_template)
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

export interface Inventory {
  readonly clients: readonly ClientUse[];
  readonly purposes: readonly PurposeUse[];
  readonly galleries: readonly GalleryUse[];
  readonly notices: readonly NoticeUse[];
  readonly subjects: readonly SubjectUse[];
  readonly policies: readonly Policy[];
}

/** Who uses which purpose, with what, about how many. */
@Injectable()
export class ProcessingInventory {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
  ) {}

  /** As of one moment. */
  read(): Promise<Inventory> {
    return this.db.transaction('REPEATABLE READ', async (tx) => ({
      clients: await tx.query<ClientUse[]>(CLIENTS),
      purposes: await tx.query<PurposeUse[]>(PURPOSES),
      galleries: await tx.query<GalleryUse[]>(GALLERIES),
      notices: await tx.query<NoticeUse[]>(NOTICES),
      subjects: await tx.query<SubjectUse[]>(SUBJECTS),
      policies: await this.policies.all(tx),
    }));
  }
}

export function ofUse<T extends PurposeUse>(all: readonly T[], { clientId, purpose }: PurposeUse): T[] {
  return all.filter((each) => each.clientId === clientId && each.purpose === purpose);
}
