import { AuditLog } from '#audit/audit-log';
import type { GalleryId, TemplateId } from '#platform/ids';
import { type Keyring, SealedValueUnreadable } from '#platform/keyring';
import { SECURITY_LOG } from '#platform/logging';
import { brokenBindings } from '#platform/metrics';
import { KEYRING, SealedValues } from '#platform/sealed-values';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { TemplateTampered } from './biometrics.errors.js';
import type { IndexedTemplate } from './internal/gallery-index.js';
import type { LastingGallery } from './internal/gallery.entity.js';
import { type BoundPlace, isBound } from './template-binding.js';

const KEY_BYTES = 32;
const KEYS_REMEMBERED = 1_000;

/** A sealed row as it was read; whose it is MUST be believed only once it was found genuine. */
export interface StoredRow extends BoundPlace {
  readonly row: Uint8Array;
  /** Null: kept by the version before, which bound nothing. */
  readonly binding: Uint8Array | null;
}

/** The columns of a StoredRow; `t` is the template. */
export const STORED_ROW = `t.gallery_id AS "galleryId", t.id AS "templateId", t.subject_id AS "subjectId",
  t.consent_id AS "consentId", t.segment_id AS "segmentId", t.slot, t."row", t.binding`;

/** Tells whether sealed rows stand where they were enrolled: docs/adr/0034-templates-are-bound-to-their-consent.md. */
@Injectable()
export class TemplateBindings {
  private readonly security = new Logger(SECURITY_LOG);
  private readonly keys = new Map<GalleryId, KeyObject>();

  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    @Inject(KEYRING) private readonly keyring: Keyring,
    values: SealedValues,
  ) {
    values.ownText('gallery.binding_key', db, contextOf);
  }

  /** A gallery's key, as it is stored. */
  newKey(galleryId: GalleryId): Buffer {
    const key = randomBytes(KEY_BYTES);
    const sealed = this.keyring.encrypt(key, contextOf(galleryId));
    key.fill(0);
    return sealed;
  }

  /** Undefined for a gallery that the version before made, until a worker has given it one. Throws TemplateTampered. */
  async keyOf({ id, bindingKey }: Pick<LastingGallery, 'id' | 'bindingKey'>): Promise<KeyObject | undefined> {
    const known = this.keys.get(id);
    if (known !== undefined) return known;
    const sealed = bindingKey ?? (await this.storedKey(id));
    if (sealed === null) return undefined;
    const key = this.open(id, sealed);
    this.keys.set(id, key);
    const [oldest] = this.keys.keys();
    if (this.keys.size > KEYS_REMEMBERED && oldest !== undefined) this.keys.delete(oldest);
    return key;
  }

  /** Those of a gallery's rows that may be compared; the others are made known. */
  async genuine<Row extends StoredRow>(gallery: LastingGallery, rows: readonly Row[]): Promise<Row[]> {
    const found = new Set(await this.judge(gallery, rows));
    const unbound = rows.filter((row) => row.binding === null && !found.has(row));
    // A worker may have bound them since they were read: only what is still so is made known.
    const bindings = await this.bindingsNow(unbound);
    for (const row of unbound) {
      const binding = bindings.get(row.templateId) ?? null;
      if ((await this.judge(gallery, [{ ...row, binding }])).length > 0) found.add(row);
    }
    const genuine = rows.filter((row) => found.has(row));
    if (genuine.length < rows.length)
      await this.report(
        gallery,
        rows.filter((row) => !found.has(row)),
      );
    return genuine;
  }

  private async judge<Row extends StoredRow>(gallery: LastingGallery, rows: readonly Row[]): Promise<Row[]> {
    const key = rows.some(({ binding }) => binding !== null) ? await this.keyOf(gallery) : undefined;
    const unbound = rows.filter(({ binding }) => binding === null);
    const recorded = await this.recorded(this.db.manager, gallery.id, unbound);
    return rows.filter((row) =>
      row.binding === null
        ? recorded.has(row.templateId)
        : key !== undefined && isBound(key, row, row.row, row.binding),
    );
  }

  private async bindingsNow(rows: readonly StoredRow[]): Promise<ReadonlyMap<TemplateId, Buffer>> {
    if (rows.length === 0) return new Map();
    const bound = await this.db.query<{ id: TemplateId; binding: Buffer }[]>(
      'SELECT id, binding FROM template WHERE id = ANY($1) AND binding IS NOT NULL',
      [rows.map(({ templateId }) => templateId)],
    );
    return new Map(bound.map(({ id, binding }) => [id, binding]));
  }

  /** Those of the rows without a binding whose enrolment the audit log knows, as one of the version before. */
  async recorded(
    tx: EntityManager,
    galleryId: GalleryId,
    templates: readonly IndexedTemplate[],
  ): Promise<ReadonlySet<TemplateId>> {
    if (templates.length === 0) return new Set();
    const rows = await tx.query<{ id: TemplateId }[]>('SELECT unbound_in_audit_log($1, $2, $3, $4) AS id', [
      galleryId,
      templates.map(({ templateId }) => templateId),
      templates.map(({ subjectId }) => subjectId),
      templates.map(({ consentId }) => consentId),
    ]);
    return new Set(rows.map(({ id }) => id));
  }

  /** Makes known that rows stand where nobody enrolled them: of each row once, whoever finds it. */
  async report(
    { id: galleryId, clientId }: Pick<LastingGallery, 'id' | 'clientId'>,
    broken: readonly IndexedTemplate[],
  ): Promise<void> {
    if (broken.length === 0) return;
    const fresh = await this.db.transaction(async (tx) => {
      const noted = await tx.query<{ template_id: TemplateId }[]>(
        `INSERT INTO broken_binding (template_id) SELECT id FROM template WHERE id = ANY($1)
         ON CONFLICT DO NOTHING RETURNING template_id`,
        [broken.map(({ templateId }) => templateId)],
      );
      const ids = new Set(noted.map(({ template_id }) => template_id));
      const found = broken.filter(({ templateId }) => ids.has(templateId));
      await this.audit.appendAll(
        tx,
        found.map(({ templateId, subjectId, consentId }) => ({
          type: 'template.binding_broken',
          outcome: 'refused',
          code: TemplateTampered.problem.code,
          clientId,
          subjectId,
          galleryId,
          details: { templateId, consentId },
        })),
      );
      return found.length;
    });
    if (fresh > 0) this.warn(fresh);
  }

  private open(galleryId: GalleryId, sealed: Buffer): KeyObject {
    try {
      return createSecretKey(this.keyring.decrypt(sealed, contextOf(galleryId)));
    } catch (error) {
      if (!(error instanceof SealedValueUnreadable)) throw error;
      this.warn(1);
      throw new TemplateTampered();
    }
  }

  private warn(count: number): void {
    brokenBindings.inc(count);
    this.security.error({ message: 'binding broken', code: TemplateTampered.problem.code, count });
  }

  private async storedKey(galleryId: GalleryId): Promise<Buffer | null> {
    const [gallery] = await this.db.query<{ binding_key: Buffer | null }[]>(
      'SELECT binding_key FROM gallery WHERE id = $1',
      [galleryId],
    );
    return gallery?.binding_key ?? null;
  }
}

/** A key that is copied from another gallery does not open. */
function contextOf(galleryId: string): string {
  return `gallery.binding_key ${galleryId}`;
}
