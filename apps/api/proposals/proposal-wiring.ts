import { ProposalKinds } from '#approvals/proposal-kinds';
import { AuditLog } from '#audit/audit-log';
import { GalleryDestruction } from '#biometrics/gallery-destruction';
import { GalleryThreshold } from '#biometrics/gallery-threshold';
import { Policies } from '#policy/policies';
import { type PolicyDocument, readPolicy } from '#policy/policy-document';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { thresholdOf } from '../galleries/threshold.js';
import { validated } from '../request/validation.js';
import { GalleryPayload, PolicyPayload, ThresholdPayload } from './proposal.dto.js';

/** Which part carries out what two officers agree on: the parts know nothing of officers. */
@Injectable()
export class ProposalWiring implements OnModuleInit {
  constructor(
    private readonly kinds: ProposalKinds,
    private readonly thresholds: GalleryThreshold,
    private readonly destruction: GalleryDestruction,
    private readonly policies: Policies,
    private readonly audit: AuditLog,
  ) {}

  onModuleInit(): void {
    this.kinds.register('gallery.threshold', {
      scopes: ['admin:compliance'],
      read: (json) => {
        const { galleryId, threshold } = validated(ThresholdPayload, json, 'payload');
        return { galleryId, choice: thresholdOf(threshold) };
      },
      basis: async (tx, { galleryId, choice }) =>
        String((await this.thresholds.preview(tx, galleryId, choice)).gallery.thresholdCosine),
      carryOut: (tx, { galleryId, choice }, proposalId) =>
        this.thresholds.change(tx, galleryId, choice, { proposalId }),
    });
    this.kinds.register('gallery.destroy', {
      scopes: ['admin:compliance', 'admin:keys'],
      read: (json) => validated(GalleryPayload, json, 'payload'),
      basis: (tx, { galleryId }) => this.destruction.ownerOf(tx, galleryId),
      carryOut: async (tx, { galleryId }, proposalId) =>
        this.destruction.destroy(tx, await this.destruction.ownerOf(tx, galleryId), galleryId, {
          proposalId,
        }),
      afterwards: ({ galleryId }) => this.destruction.forget(galleryId),
    });
    this.kinds.register('policy.publish', {
      scopes: ['admin:compliance'],
      read: (json) => readPolicy(validated(PolicyPayload, json, 'payload').policy),
      basis: (tx, document) => this.revisionOf(tx, document),
      carryOut: async (tx, document, proposalId) => {
        const revision = await this.policies.publish(tx, document);
        const details = { jurisdiction: document.code, revision, proposalId };
        await this.audit.append(tx, { type: 'policy.published', outcome: 'ok', details });
      },
    });
  }

  private async revisionOf(tx: EntityManager, { code }: PolicyDocument): Promise<string> {
    try {
      return String((await this.policies.current(tx, code)).revision);
    } catch (error) {
      if (error instanceof JurisdictionUnknown) return 'new';
      throw error;
    }
  }
}
