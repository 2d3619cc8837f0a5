import { ProposalKinds } from '#approvals/proposal-kinds';
import { GalleryDestruction } from '#biometrics/gallery-destruction';
import { GalleryThreshold } from '#biometrics/gallery-threshold';
import { KeyRotations } from '#biometrics/key-rotations';
import { Policies } from '#policy/policies';
import { type PolicyDocument, readPolicy } from '#policy/policy-document';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { PublishPolicy } from '#policy/publish-policy';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
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
    private readonly rotations: KeyRotations,
    private readonly policies: Policies,
    private readonly commands: CommandBus,
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
      carryOut: async (tx, { galleryId }, proposalId) => {
        await this.destruction.requireNothingHeld(tx, galleryId);
        const clientId = await this.destruction.ownerOf(tx, galleryId);
        await this.destruction.destroy(tx, clientId, galleryId, { proposalId });
      },
      afterwards: ({ galleryId }) => this.destruction.afterwards(galleryId),
    });
    this.kinds.register('gallery.rotate_keys', {
      scopes: ['admin:compliance', 'admin:keys'],
      read: (json) => validated(GalleryPayload, json, 'payload'),
      basis: (tx, { galleryId }) => this.rotations.before(tx, galleryId),
      carryOut: async (tx, { galleryId }, proposalId) => {
        await this.rotations.request(tx, galleryId, { proposalId });
      },
    });
    this.kinds.register('policy.publish', {
      scopes: ['admin:compliance'],
      read: (json) => readPolicy(validated(PolicyPayload, json, 'payload').policy),
      basis: (tx, document) => this.revisionOf(tx, document),
      carryOut: async (tx, document, proposalId) => {
        await this.commands.execute(new PublishPolicy(tx, document, { proposalId }));
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
