import type { KeyCustodian } from '#custody/key-custodian';
import type { Matcher } from '#biometrics/matcher';
import { bindingOf } from '#biometrics/template-binding';
import type { TemplateBindings } from '#biometrics/template-bindings';
import { cosineToScore, quantiseTemplate } from '#homomorphic/quantised-vector';
import { type ClientId, type ConsentId, newId, type SubjectId } from '#platform/ids';
import { Pool } from 'pg';
import { randomFace } from '../faces-in-space.js';

const ROWS_AT_ONCE = 2_000;

export type Gallery = Parameters<Matcher['matchGallery']>[0];

export interface FillTimes {
  /** Milliseconds to seal all templates: slots taken, pads made, rows computed. */
  readonly sealMs: number;
}

/** Galleries in a real database, filled past the API: one person, whose template number i is random face i. */
export class StoredGalleries {
  private readonly clientId: ClientId = newId<'client'>();
  private readonly subjectId: SubjectId = newId<'subject'>();
  private readonly consentId: ConsentId = newId<'consent'>();
  private readonly pool: Pool;

  constructor(
    ownerUrl: string,
    private readonly custodian: KeyCustodian,
    private readonly bindings: TemplateBindings,
  ) {
    this.pool = new Pool({ connectionString: ownerUrl, max: 2 });
  }

  async prepare(): Promise<void> {
    const notice = newId<'notice'>();
    await this.pool.query(
      `INSERT INTO client (id, name, secret_hash, scopes) VALUES ('${this.clientId}', 'bench', 'none', '{}');
       INSERT INTO subject (id, client_id) VALUES ('${this.subjectId}', '${this.clientId}');
       INSERT INTO notice (id, client_id, purpose, language, version, title, text, hash)
         VALUES ('${notice}', '${this.clientId}', 'bench', 'en', 1, 'bench', 'bench', '\\x00');
       INSERT INTO consent_version VALUES ('${this.clientId}', 'bench', 1);
       INSERT INTO consent (id, client_id, subject_id, purpose, notice_id, version)
         VALUES ('${this.consentId}', '${this.clientId}', '${this.subjectId}', 'bench', '${notice}', 1);`,
    );
  }

  async create(dimension: number): Promise<Gallery> {
    const id = newId<'gallery'>();
    const gallery: Gallery = {
      id,
      clientId: this.clientId,
      name: id,
      purpose: 'bench',
      model: 'own',
      dimension,
      disclosure: 'none',
      presentationAttack: 'off',
      bindingKey: this.bindings.newKey(id),
      version: '0',
      createdAt: new Date(),
    };
    await this.custodian.createKeySet(id, dimension);
    await this.pool.query(
      `INSERT INTO gallery (id, client_id, name, purpose, model, dimension, threshold_score, threshold_cosine,
                            disclosure, presentation_attack, binding_key)
       VALUES ($1, $2, $3, 'bench', 'own', $4, $5, 0.9, 'none', 'off', $6)`,
      [id, this.clientId, id, dimension, cosineToScore(0.9), gallery.bindingKey],
    );
    return gallery;
  }

  async fill(gallery: Gallery, count: number): Promise<FillTimes> {
    let sealMs = 0;
    const key = await this.bindings.keyOf(gallery);
    if (key === undefined) throw new Error('a gallery without a binding key');
    for (let first = 0; first < count; first += ROWS_AT_ONCE) {
      const faces = Math.min(ROWS_AT_ONCE, count - first);
      const templates = Array.from({ length: faces }, (_, i) =>
        quantiseTemplate(randomFace(first + i, gallery.dimension)),
      );
      const started = performance.now();
      const sealed = await this.custodian.seal(gallery.id, templates);
      sealMs += performance.now() - started;
      const ids = sealed.map(() => newId<'template'>());
      await this.pool.query(
        `INSERT INTO template (id, gallery_id, subject_id, consent_id, segment_id, slot, "row", photos, version, binding)
         SELECT id, $1, $2, $3, segment_id, slot, made, 0, 1, binding
         FROM unnest($4::uuid[], $5::uuid[], $6::int[], $7::bytea[], $8::bytea[])
           AS made (id, segment_id, slot, made, binding)`,
        [
          gallery.id,
          this.subjectId,
          this.consentId,
          ids,
          sealed.map(({ segmentId }) => segmentId),
          sealed.map(({ slot }) => slot),
          sealed.map(({ row }) => Buffer.from(row)),
          sealed.map(({ segmentId, slot, row }, i) => {
            const { subjectId, consentId } = this;
            const templateId = ids[i] ?? newId<'template'>();
            return bindingOf(
              key,
              { galleryId: gallery.id, templateId, subjectId, consentId, segmentId, slot },
              row,
            );
          }),
        ],
      );
    }
    await this.pool.query('UPDATE gallery SET version = 1 WHERE id = $1', [gallery.id]);
    return { sealMs };
  }

  /** A face's row, for 1:1. */
  async rowOf(gallery: Gallery, slot: number): Promise<{ segmentId: string; slot: number; row: Buffer }> {
    const { rows } = await this.pool.query(
      'SELECT segment_id AS "segmentId", slot, "row" FROM template WHERE gallery_id = $1 AND slot = $2 LIMIT 1',
      [gallery.id, slot],
    );
    return rows[0];
  }

  /** Bytes of all galleries, their keys, rows and indexes. */
  async bytes(): Promise<number> {
    const { rows } = await this.pool.query<{ bytes: string }>(
      `SELECT sum(pg_total_relation_size(name::regclass)) AS bytes
       FROM unnest(ARRAY['template', 'gallery', 'custody.key_set', 'custody.segment']) AS name`,
    );
    return Number(rows[0]?.bytes);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
