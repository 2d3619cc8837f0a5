import { giveBack } from '#homomorphic/give-back';
import type { MaskSeed } from '#homomorphic/mask-seed';
import type { QuantisedTemplate } from '#homomorphic/quantised-vector';
import type { CustodianClientConfig } from '#platform/custodian-config';
import type { GalleryId, KeyRotationId, SegmentId } from '#platform/ids';
import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { CustodianConnection } from './custodian-connection.js';
import {
  type AlikePair,
  type Candidate,
  type ComparisonRequest,
  type GalleryScores,
  type HeldSecrets,
  KeyCustodian,
  type OpeningRequest,
  type Place,
  type PlacedRows,
  type ScoresPart,
  type SealedTemplate,
} from './key-custodian.js';
import { CUSTODIAN_CALLS } from './wire/custodian-calls.js';

const READY_MS = 2_000;

/** Custody in a process of its own (docs/adr/0050-frames-over-mutual-tls.md): no key is ever in this one. */
export class RemoteKeyCustodian extends KeyCustodian implements OnApplicationShutdown {
  private readonly logger = new Logger('custody');
  private readonly connection: CustodianConnection;

  constructor(config: CustodianClientConfig) {
    super();
    this.connection = new CustodianConnection(config);
  }

  onApplicationShutdown(): void {
    this.connection.close();
  }

  ready(): Promise<void> {
    return this.connection.call('ready', CUSTODIAN_CALLS.ready, undefined, READY_MS);
  }

  held(): Promise<HeldSecrets> {
    return this.connection.call('held', CUSTODIAN_CALLS.held, undefined);
  }

  createKeySet(galleryId: GalleryId, dimension: number): Promise<void> {
    return this.connection.call('createKeySet', CUSTODIAN_CALLS.createKeySet, { galleryId, dimension });
  }

  preparePads(galleryId: GalleryId): void {
    this.connection
      .call('preparePads', CUSTODIAN_CALLS.preparePads, { galleryId })
      .catch((error: unknown) => {
        const errorName = error instanceof Error ? error.name : 'unknown';
        this.logger.warn({ message: 'a segment could not be opened ahead', errorName });
      });
  }

  async seal(
    galleryId: GalleryId,
    templates: readonly QuantisedTemplate[],
  ): Promise<readonly SealedTemplate[]> {
    try {
      return await this.connection.call('seal', CUSTODIAN_CALLS.seal, { galleryId, templates });
    } finally {
      for (const template of templates) template.fill(0);
    }
  }

  maskSeed(galleryId: GalleryId): Promise<MaskSeed> {
    return this.connection.call('maskSeed', CUSTODIAN_CALLS.maskSeed, { galleryId });
  }

  async openScores(request: OpeningRequest, scores: GalleryScores): Promise<readonly Candidate[]> {
    const sent: ScoresPart[] = [];
    const noting = async function* (): AsyncGenerator<ScoresPart> {
      for await (const part of scores) {
        sent.push(part);
        yield part;
      }
    };
    try {
      return await this.connection.callInParts('openScores', CUSTODIAN_CALLS.openScores, request, noting());
    } finally {
      for (const { segments } of sent) for (const { c0 } of segments) giveBack(c0);
    }
  }

  checkKeys(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    return this.connection.call('checkKeys', CUSTODIAN_CALLS.checkKeys, { galleryId, segmentIds });
  }

  retire(places: readonly Place[]): Promise<void> {
    return this.connection.call('retire', CUSTODIAN_CALLS.retire, places);
  }

  countUsable(places: readonly Place[]): Promise<number> {
    return this.connection.call('countUsable', CUSTODIAN_CALLS.countUsable, places);
  }

  comparePairs(request: ComparisonRequest): Promise<readonly AlikePair[]> {
    return this.connection.call('comparePairs', CUSTODIAN_CALLS.comparePairs, request);
  }

  beginRotation(galleryId: GalleryId, rotationId: KeyRotationId): Promise<readonly SegmentId[]> {
    return this.connection.call('beginRotation', CUSTODIAN_CALLS.beginRotation, { galleryId, rotationId });
  }

  reseal(galleryId: GalleryId, rows: PlacedRows): Promise<readonly SealedTemplate[]> {
    return this.connection.call('reseal', CUSTODIAN_CALLS.reseal, { galleryId, rows });
  }

  destroySegments(galleryId: GalleryId, segmentIds: readonly SegmentId[]): Promise<void> {
    return this.connection.call('destroySegments', CUSTODIAN_CALLS.destroySegments, {
      galleryId,
      segmentIds,
    });
  }

  destroy(galleryId: GalleryId): Promise<void> {
    return this.connection.call('destroy', CUSTODIAN_CALLS.destroy, { galleryId });
  }
}
