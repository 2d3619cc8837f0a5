import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsObject, ValidateNested } from 'class-validator';
import type { GalleryId } from '#platform/ids';
import { ThresholdBody } from '../galleries/gallery.dto.js';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';

export const PROPOSAL_KINDS = [
  'gallery.threshold',
  'gallery.destroy',
  'gallery.rotate_keys',
  'policy.publish',
] as const;

/** What two officers agree on about a gallery. */
export class GalleryPayload {
  @IsId()
  galleryId: GalleryId;
}

export class ThresholdPayload extends GalleryPayload {
  @IsObject()
  @ValidateNested()
  @Type(() => ThresholdBody)
  threshold: ThresholdBody;
}

export class PolicyPayload {
  @IsObject()
  policy: object;
}

const EXAMPLE_PAYLOAD = { galleryId: EXAMPLE.galleryId, threshold: { targetFalseMatchRate: 0.0001 } };

export class MakeProposalBody {
  @ApiProperty({ enum: PROPOSAL_KINDS, example: 'gallery.threshold' })
  @IsIn(PROPOSAL_KINDS)
  kind: (typeof PROPOSAL_KINDS)[number];

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      '`gallery.threshold`: galleryId, and threshold as when a gallery is created. `gallery.destroy` and `gallery.rotate_keys`: galleryId. `policy.publish`: policy, a document such as GET /v1/jurisdictions answers.',
    example: EXAMPLE_PAYLOAD,
  })
  @IsObject()
  payload: object;
}

export class ProposalResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.proposalId })
  id: string;

  @ApiProperty({ enum: PROPOSAL_KINDS, example: 'gallery.threshold' })
  kind: string;

  @ApiProperty({ type: 'object', additionalProperties: true, example: EXAMPLE_PAYLOAD })
  payload: object;

  @ApiProperty({ enum: ['open', 'expired', 'approved', 'rejected', 'withdrawn'], example: 'open' })
  state: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.officerId })
  proposedBy: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  proposedAt: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  expiresAt: Date;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: null })
  decidedBy: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  decidedAt: Date | null;
}

export class ProposalPage {
  @ApiProperty({ type: [ProposalResponse] })
  items: ProposalResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
