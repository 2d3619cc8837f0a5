import { KEY_ROTATION_STATES, KEY_ROTATION_WAITS } from '#biometrics/list-key-rotations';
import { ApiProperty } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';
import { ProvedProgress } from './proved-progress.dto.js';

export class KeyRotationResponse extends ProvedProgress {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.rotationId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.galleryId })
  galleryId: string;

  @ApiProperty({ enum: KEY_ROTATION_STATES, example: 'moving' })
  state: string;

  @ApiProperty({
    type: String,
    enum: KEY_ROTATION_WAITS,
    nullable: true,
    description:
      'What it waits for: the end of a deduplication job of the gallery, that templates which are refused as tampered with are erased, or that the custodian puts all under its own keys, CUSTODY_ADOPTION_HOURS after it came.',
    example: null,
  })
  waitsFor: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When that ends; null where only others can end it.',
    example: null,
  })
  waitsUntil: Date | null;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Sealed templates under the old keys when it began.',
    example: 100_000,
  })
  rows: number | null;

  @ApiProperty({
    description: 'Of these, how many are under the new keys; the others are left or were erased.',
    example: 40_960,
  })
  moved: number;

  @ApiProperty({ type: Number, nullable: true, description: 'Still under the old keys.', example: 59_040 })
  left: number | null;

  @ApiProperty({ description: 'Segments with old keys; each has a key of its own.', example: 49 })
  segments: number;

  @ApiProperty({ description: 'Of these, how many have no key any more.', example: 0 })
  segmentsDestroyed: number;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  requestedAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.time })
  begunAt: Date | null;
}

export class KeyRotationPage {
  @ApiProperty({ type: [KeyRotationResponse] })
  items: KeyRotationResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
